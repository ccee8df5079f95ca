package corpus

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ExaBGPMessage is a message of ExaBGP's own tests, and what it says of it.
type ExaBGPMessage struct {
	Source string
	Octets []byte // with the header, or the body alone
	// Attributes, Announce and Withdraw are of an UPDATE that is known so well.
	// Prefixes are by family ("ipv4 unicast"), the announced ones by next hop too.
	Attributes struct {
		Origin      string
		LocalPref   *uint32 `json:"local-preference"`
		MED         *uint32
		Communities [][2]uint16 `json:"community"`
		ASPath      map[string]struct {
			Element string
			Value   []uint32
		} `json:"as-path"`
	}
	Announce map[string]map[string][]ExaBGPPrefix
	Withdraw map[string][]ExaBGPPrefix
}

// ExaBGPPrefix is a prefix, or what else is announced in other families.
type ExaBGPPrefix struct {
	NLRI   string
	PathID string `json:"path-information"` // as an IPv4 address
}

// ExaBGPMessages gives the messages of vectors/exabgp-messages.json.
func ExaBGPMessages(tb testing.TB) []ExaBGPMessage {
	tb.Helper()
	dir := Dir(tb)
	if dir == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "vectors", "exabgp-messages.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var list []struct {
		Source, Hex string
		JSON        struct {
			Neighbor struct {
				Message struct {
					Update json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		tb.Fatal(err)
	}
	var messages []ExaBGPMessage
	for _, v := range list {
		m := ExaBGPMessage{Source: v.Source}
		if m.Octets, err = hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(v.Hex)); err != nil {
			tb.Fatalf("%s: %v", v.Source, err)
		}
		var update struct {
			Attribute json.RawMessage
			Announce  map[string]json.RawMessage
			Withdraw  map[string]json.RawMessage
		}
		if len(v.JSON.Neighbor.Message.Update) > 0 {
			if err := json.Unmarshal(v.JSON.Neighbor.Message.Update, &update); err != nil {
				tb.Fatalf("%s: %v", v.Source, err)
			}
		}
		m.Announce, m.Withdraw = map[string]map[string][]ExaBGPPrefix{}, map[string][]ExaBGPPrefix{}
		for _, family := range []string{"ipv4 unicast", "ipv6 unicast"} {
			m.unicast(tb, family, update.Announce[family], update.Withdraw[family])
		}
		if len(update.Attribute) > 0 && len(m.Announce) > 0 {
			if err := json.Unmarshal(update.Attribute, &m.Attributes); err != nil {
				tb.Fatalf("%s: %v", v.Source, err)
			}
		}
		messages = append(messages, m)
	}
	return messages
}

// unicast reads what is announced and withdrawn of one of the families that are read.
func (m *ExaBGPMessage) unicast(tb testing.TB, family string, announce, withdraw json.RawMessage) {
	tb.Helper()
	if len(announce) > 0 {
		var hops map[string][]ExaBGPPrefix
		if err := json.Unmarshal(announce, &hops); err != nil {
			tb.Fatalf("%s: %v", m.Source, err)
		}
		m.Announce[family] = hops
	}
	if len(withdraw) > 0 {
		var gone []ExaBGPPrefix
		if err := json.Unmarshal(withdraw, &gone); err != nil {
			tb.Fatalf("%s: %v", m.Source, err)
		}
		m.Withdraw[family] = gone
	}
}
