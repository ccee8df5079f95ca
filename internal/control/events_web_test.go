package control

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"routerd/internal/access"
)

// Over HTTPS events are followed by who shows a token, from no other site's page,
// until the token is revoked.
func TestEventsOverHTTPS(t *testing.T) {
	e := newEvents()
	w := serveWeb(t, true, Options{Events: e})
	dial := func(headers http.Header) (*websocket.Conn, *http.Response, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return websocket.Dial(ctx, "wss"+strings.TrimPrefix(w.url, "https")+"/v1/events", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: w.client.Transport}, HTTPHeader: headers, Subprotocols: []string{Subprotocol},
		})
	}
	if _, resp, err := dial(http.Header{}); err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("without a token: %v, %v; want 401", resp, err)
	}
	token, text, err := w.tokens.Add("page", access.Read, began.AddDate(100, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	shown := http.Header{"Authorization": {"Bearer " + text}}
	evil := shown.Clone()
	evil.Set("Origin", "https://evil.example")
	if _, resp, err := dial(evil); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Fatalf("from another site's page: %v, %v; want 403", resp, err)
	}
	c, _, err := dial(shown)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(context.Background(), websocket.MessageText, []byte(`{"op":"subscribe","id":1,"topics":["interface"],"snapshot":true}`)); err != nil {
		t.Fatal(err)
	}
	until(t, c, "snapshot")
	until(t, c, "bookmark")
	if _, err := w.tokens.Revoke(token.ID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != StatusRevoked {
		t.Errorf("after the token was revoked the WebSocket ended with %v, want status %d", err, StatusRevoked)
	}
}
