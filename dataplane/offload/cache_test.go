package offload

import "testing"

func TestLoads(t *testing.T) {
	c, err := New(Config{Flows: 16, Causes: 4, Mark: 7})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := c.Reap(func(Flow, Key, Counters) {}); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
