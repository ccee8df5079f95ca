package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"routerd/internal/bench/site"
)

// What is watched of routerd throughout.
const (
	slowestShow = "slowest show, ms"
	bfdDowns    = "BFD sessions lost"
)

// asks is how often routerd is asked what `show bgp summary` says.
const asks = 100 * time.Millisecond

var session = regexp.MustCompile(`(?m)^10\.0\.3\.2 +\S+ +(\S+) .* 50ms +150ms +(\d+) `)

// downs says whether the session of BFD is up, and how often it went down.
func (x *stand) downs(ctx context.Context) (up bool, n int, err error) {
	text, err := x.lab.Run(ctx, "r", "routerd show bfd")
	if err != nil {
		return false, 0, fmt.Errorf("asking for the session of BFD: %w: %s", err, text)
	}
	m := session.FindSubmatch(text)
	if m == nil {
		return false, 0, nil
	}
	n, err = strconv.Atoi(string(m[2]))
	return string(m[1]) == "up", n, err
}

// watch begins to watch routerd, and gives the end of it. Others are not watched.
func (x *stand) watch(ctx context.Context) (end func(sample) error, err error) {
	if x.rival.name != nameRouterd {
		return func(sample) error { return nil }, nil
	}
	before := 0
	err = site.Await(ctx, time.Minute, 200*time.Millisecond, "the session of BFD", func() (string, error) {
		up, n, err := x.downs(ctx)
		if before = n; !up {
			return "it is not up", err
		}
		return "", err
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	slowest := time.Duration(0)
	go func() {
		for {
			began := time.Now()
			_, err := x.asker.routes(ctx)
			slowest = max(slowest, time.Since(began))
			if err == nil {
				err = site.Pause(ctx, asks)
			}
			if ctx.Err() != nil {
				err = nil
			}
			if err != nil || ctx.Err() != nil {
				ended <- err
				return
			}
		}
	}()
	return func(m sample) error {
		_, after, err := x.downs(ctx)
		cancel()
		if failed := <-ended; failed != nil {
			return failed
		}
		m[slowestShow], m[bfdDowns] = slowest.Seconds()*1000, float64(after-before)
		return err
	}, nil
}
