package control

import (
	"context"
	"errors"
	"net/http"

	"routerd/internal/protocols"
	"routerd/internal/show"
)

// ProtocolList are the routing protocols that the router can speak.
type ProtocolList struct {
	Protocols []ProtocolInfo `json:"protocols" show:",rows"`
}

// ProtocolInfo is a routing protocol.
type ProtocolInfo struct {
	Name       string `json:"name" show:"name"`
	Title      string `json:"title" show:"title"` // its usual spelling
	Configured bool   `json:"configured" show:"configured,yes=yes,no=no,good=yes"`
	// Sessions is the path, below /v1/, of the noun that shows its neighbours.
	Sessions string `json:"sessions" show:"sessions"`
}

var protocolNoun = show.Spec[Router, nothing, ProtocolList]{
	Path: "protocol",
	Help: show.Help{
		Aliases: []string{"protocols"},
		Short:   "The routing protocols, and which of them are configured",
		Example: `  routerd show protocol
  routerd show protocol -o json`,
	},
	Ask: askProtocols,
}.Noun()

func askProtocols(ctx context.Context, r Router, _ nothing) (l ProtocolList, err error) {
	for _, p := range protocols.All() {
		_, err := r.Protocol(ctx, p.Name)
		var s *show.Error
		if err != nil && (!errors.As(err, &s) || s.Status != http.StatusNotFound) {
			return l, err
		}
		l.Protocols = append(l.Protocols, ProtocolInfo{Name: p.Name, Title: p.Title, Configured: err == nil, Sessions: p.Sessions})
	}
	return l, nil
}
