package bgp

import (
	"strings"
	"time"

	"routerd/routing/bgp/wire"
)

// Ending is why a connection ended.
type Ending struct {
	Time  time.Time
	Event Event
	// Notification is what the neighbour sent if Received, and else what it was sent;
	// Code 0 is none.
	Notification wire.Notification
	Received     bool
	Fault        wire.Refusal // of a message
	Err          error        // of the TCP connection
}

// Error says it in words: "sent cease: administrative shutdown".
func (e Ending) Error() string {
	var parts []string
	if e.Notification.Code != 0 {
		who := "sent "
		if e.Received {
			who = "received "
		}
		parts = append(parts, who+e.Notification.String())
	}
	if e.Fault.Reason != wire.Accepted {
		parts = append(parts, e.Fault.String())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if len(parts) == 0 {
		return e.Event.String()
	}
	return strings.Join(parts, ": ")
}
