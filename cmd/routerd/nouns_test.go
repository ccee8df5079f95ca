package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"routerd/internal/control"
	"routerd/internal/show"
)

// shown are the nouns that have a show command.
func shown() (list []control.Noun) {
	for _, n := range control.Nouns() {
		if n.Ask != nil && n.Short != "" && !n.Changes {
			list = append(list, n)
		}
	}
	return list
}

// Every noun is drawn as a table, as a wide one and as JSON, and each drawing is
// kept.
func TestNounGolden(t *testing.T) {
	socket := serve(t, &fake{})
	for _, n := range shown() {
		t.Run(n.Path, func(t *testing.T) {
			var all strings.Builder
			for _, format := range []string{"", " -o wide", " -o json"} {
				line := "show " + strings.ReplaceAll(n.Path, "/", " ") + format
				if n.Args == "ADDRESS" { // it has to be given
					line += " 198.51.100.1"
				}
				code, stdout, stderr := routerd(append([]string{"--socket", socket}, strings.Fields(line)...)...)
				if code != exitOK || stderr != "" || stdout == "" {
					t.Errorf("%s: exit %d, %s", line, code, stderr)
				}
				for l := range strings.Lines(stdout) {
					if strings.TrimRight(l, " \n") != strings.TrimRight(l, "\n") {
						t.Errorf("%s: trailing blanks: %q", line, l)
					}
				}
				all.WriteString("$ routerd " + line + "\n" + stdout)
			}
			compare(t, path.Join("noun", strings.ReplaceAll(n.Path, "/", "-")+".txt"), strings.ReplaceAll(all.String(), fmt.Sprint("uid ", os.Geteuid()), "uid 0"))
		})
	}
}

// What a noun says of itself is whole: help for each flag, a value's name in it,
// and nouns that are there where names are offered.
func TestNounsAreDescribed(t *testing.T) {
	paths := map[string]bool{}
	for _, n := range control.Nouns() {
		if paths[n.Path] {
			t.Errorf("there are two nouns %s", n.Path)
		}
		paths[n.Path] = true
	}
	for _, n := range control.Nouns() {
		if n.Ask == nil || n.Short == "" {
			continue
		}
		query, answer := reflect.TypeOf(n.NewQuery()).Elem(), reflect.TypeOf(n.NewAnswer()).Elem()
		if next, paged := answer.FieldByName("Next"); paged {
			if after, ok := query.FieldByName("After"); !ok || after.Type != next.Type || next.Tag.Get("json") != "next,omitzero" {
				t.Errorf("%s comes in pages, and its query has no After for what Next gives", n.Path)
			}
		}
		if _, limited := query.FieldByName("Limit"); n.Usual != 0 && !limited {
			t.Errorf("%s shows %d rows, and its query has no Limit", n.Path, n.Usual)
		}
		if _, says := n.NewAnswer().(show.Partial); n.Usual != 0 && !says {
			t.Errorf("%s shows %d rows, and does not say that there are more", n.Path, n.Usual)
		}
		if n.Changes && n.Draw == nil {
			t.Errorf("%s does not say what it has done", n.Path)
		}
		for _, p := range n.Parameters() {
			if !p.API && !p.Argument && p.Help == "" {
				t.Errorf("%s: no help for --%s", n.Path, p.Name)
			}
			if p.Complete != "" && !paths[p.Complete] {
				t.Errorf("%s: --%s is offered the keys of %s, which there is not", n.Path, p.Name, p.Complete)
			}
		}
		words := "show " + n.Path
		if n.Changes {
			words = n.Path // clear/..., token/...
		}
		code, stdout, _ := routerd(append(strings.Fields(strings.ReplaceAll(words, "/", " ")), "--help")...)
		if code != exitOK || !strings.Contains(stdout, n.Args) || !strings.Contains(stdout, strings.Split(n.Short, "\n")[0]) && n.Long == "" {
			t.Errorf("%s --help: exit %d\n%s", words, code, stdout)
		}
	}
}

// On a terminal no more of a long table is asked for than the screen has room for.
func TestWatchAsksForAScreenful(t *testing.T) {
	type row struct {
		N int `json:"n" show:"n"`
	}
	type page struct {
		Rows []row  `json:"rows" show:",rows"`
		Next uint32 `json:"next,omitzero"`
	}
	var q struct {
		After uint32 `query:"after,api"`
	}
	var asked atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	s := &session{out: &out, terminal: true}
	err := s.watch(ctx, time.Hour, "test", func(_ context.Context, w io.Writer) error {
		defer cancel()
		pages := show.Pages{Query: &q, Ask: func() (any, error) {
			asked.Add(1)
			return &page{make([]row, 10), q.After + 1}, nil
		}}
		_, err := pages.Print(&show.Tables{Screen: &show.Screen{Writer: w}})
		return err
	})
	if err != nil || asked.Load() != 3 {
		t.Errorf("%v, %d pages of 10 rows for a screen of 24 lines", err, asked.Load())
	}
	if _, err := (&screenful{lines: 1}).Write([]byte("a\nb\nc\n")); !errors.Is(err, errFull) {
		t.Errorf("three lines on a screen of one: %v", err)
	}
}
