package main

import "testing"

// Every figure is one that a benchmark which is run reports.
func TestFiguresExist(t *testing.T) {
	list, err := internetTable.Unreported("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range list {
		t.Error(what)
	}
}
