package control

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"routerd/internal/events"
)

// EventFrame is a frame that a client of events receives, EventRequest one that it
// sends.
type (
	EventFrame   = events.Frame
	EventRequest = events.Request
)

// longestFrame is the longest frame that a client reads, in bytes.
const longestFrame = 4 << 20

// Events follows events until ctx is done, the connection ends, or each returns an
// error. each gets every frame and its JSON, which is valid during the call. The
// error is nil if the router has ended the connection.
func (c *Client) Events(ctx context.Context, q EventRequest, each func(f *EventFrame, raw []byte) error) error {
	values := url.Values{paramTopic: q.Topics, paramKey: q.Keys, paramSnapshot: {strconv.FormatBool(q.Snapshot)}}
	if q.After != "" {
		values.Set(paramAfter, q.After)
	}
	u := c.base
	u.Path, u.RawQuery = "/v1/events", values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("following the router's events: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	endless := c.http
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		return c.failed(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, longestFrame)
	for lines.Scan() {
		var f EventFrame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("reading the router's events: %w in %.200q", err, lines.Text())
		}
		if err := each(&f, lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return &UnreachableError{c.where, cause(err)}
	}
	return ctx.Err()
}
