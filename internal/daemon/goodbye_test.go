package daemon

import (
	"testing"
	"time"

	"routerd/routing/protocol"
)

// A protocol that asks for time gets it, others do not.
func TestGoodbyesTakeTheirTime(t *testing.T) {
	past := time.Now().Add(-time.Second)
	if o := newProtocolOwner(nil, "slow"); o.wait(past) {
		t.Error("it is awaited without end")
	}
	o := newProtocolOwner(nil, "done")
	o.carryOut(protocol.Stopped{})
	if !o.wait(past) {
		t.Error("it was done, and that was not seen")
	}
	o = newProtocolOwner(nil, "leaving")
	o.carryOut(protocol.Leaving{Within: time.Hour})
	go o.carryOut(protocol.Stopped{})
	if !o.wait(past) {
		t.Error("it asked for time and got none")
	}
}
