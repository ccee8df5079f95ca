package bgp

// State is the state of a connection with a neighbour (RFC 4271 §8.2.2).
//
//	       start                       connected
//	Idle ---------> Connect ------------------------> OpenSent
//	 ^ |               | ^                             |   |
//	 | | passive  fails| | retry                  fails|   | OPEN
//	 | |               v |                             |   v
//	 | +----------> Active <---------------------------+ OpenConfirm
//	 |                 |                                   |
//	 |                 +-- connected --> OpenSent          | KEEPALIVE
//	 |                                                     v
//	 +---- faults, NOTIFICATION, timers, stop ------- Established
type State uint8

// The states.
const (
	Idle State = iota
	Connect
	Active
	OpenSent
	OpenConfirm
	Established
	numStates
)

var states = [numStates]string{"idle", "connect", "active", "open-sent", "open-confirm", "established"}

// String gives the name used in tables, JSON and metrics.
func (s State) String() string {
	if s >= numStates {
		return "unknown"
	}
	return states[s]
}

// Event is what changes the state, by its number in RFC 4271 §8.1 and RFC 9687.
type Event uint8

// The events.
const (
	ManualStart                 Event = 1
	ManualStop                  Event = 2
	AutomaticStart              Event = 3
	ManualStartPassive          Event = 4
	AutomaticStartPassive       Event = 5
	AutomaticStartDamped        Event = 6
	AutomaticStartDampedPassive Event = 7
	AutomaticStop               Event = 8
	ConnectRetryTimerExpires    Event = 9
	HoldTimerExpires            Event = 10
	KeepaliveTimerExpires       Event = 11
	DelayOpenTimerExpires       Event = 12
	IdleHoldTimerExpires        Event = 13
	TCPConnectionValid          Event = 14
	TCPRequestInvalid           Event = 15
	TCPRequestAcked             Event = 16 // one that was dialled is there
	TCPConnectionConfirmed      Event = 17 // one that was accepted is there
	TCPConnectionFails          Event = 18
	OpenReceived                Event = 19
	OpenWhileDelaying           Event = 20 // while the DelayOpenTimer runs
	HeaderError                 Event = 21
	OpenError                   Event = 22
	OpenCollisionDump           Event = 23
	NotificationVersionError    Event = 24
	NotificationReceived        Event = 25
	KeepaliveReceived           Event = 26
	UpdateReceived              Event = 27
	UpdateError                 Event = 28
	SendHoldTimerExpires        Event = 29
	numEvents                         = SendHoldTimerExpires + 1
)

var events = [numEvents]string{
	"", "ManualStart", "ManualStop", "AutomaticStart", "ManualStart_with_PassiveTcpEstablishment",
	"AutomaticStart_with_PassiveTcpEstablishment", "AutomaticStart_with_DampPeerOscillations",
	"AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment", "AutomaticStop", "ConnectRetryTimer_Expires",
	"HoldTimer_Expires", "KeepaliveTimer_Expires", "DelayOpenTimer_Expires", "IdleHoldTimer_Expires", "TcpConnection_Valid",
	"Tcp_CR_Invalid", "Tcp_CR_Acked", "TcpConnectionConfirmed", "TcpConnectionFails", "BGPOpen",
	"BGPOpen with DelayOpenTimer running", "BGPHeaderErr", "BGPOpenMsgErr", "OpenCollisionDump", "NotifMsgVerErr", "NotifMsg",
	"KeepAliveMsg", "UpdateMsg", "UpdateMsgErr", "SendHoldTimer_Expires",
}

// String gives the RFC's name, for tables and logs.
func (e Event) String() string {
	if e == 0 || e >= numEvents {
		return "unknown"
	}
	return events[e]
}

// Action is what has to be done when an event comes: a set. The order in which the
// actions are done is that of the constants.
type Action uint32

const (
	// LoseRoutes: the routes of the neighbour are deleted, or kept for a graceful
	// restart, see [Conditions.Keeps].
	LoseRoutes Action = 1 << iota
	// Notify sends the NOTIFICATION that the entry names.
	Notify
	// Drop drops the TCP connection and releases what belongs to it, timers among
	// that.
	Drop
	// ZeroCounter sets the ConnectRetryCounter to zero, CountUp adds one to it.
	ZeroCounter
	CountUp
	// StartRetry starts the ConnectRetryTimer anew, StopRetry stops it.
	StartRetry
	StopRetry
	// StartDelay starts the DelayOpenTimer, StopDelay stops it.
	StartDelay
	StopDelay
	// HoldIdle starts the IdleHoldTimer, after which the neighbour is tried again
	// (DampPeerOscillations); StopIdle stops it.
	HoldIdle
	StopIdle
	// Dial initiates a TCP connection.
	Dial
	// Reject rejects a connection, Track follows a second one until its OPEN comes.
	Reject
	Track
	// Collide looks for a connection that this one collides with (§6.8). If this one
	// has to go, the rest is not done.
	Collide
	// SendOpen sends an OPEN, SendKeepalive a KEEPALIVE.
	SendOpen
	SendKeepalive
	// LargeHold sets the HoldTimer to a large value; NegotiatedHold sets it and the
	// KeepaliveTimer to what was negotiated.
	LargeHold
	NegotiatedHold
	RestartHold
	RestartKeepalive
	// Process processes the UPDATE.
	Process
	// AwaitBFD starts the time that there is for BFD to find the neighbour.
	AwaitBFD
)

// Notice is which NOTIFICATION Notify sends.
type Notice uint8

const (
	NoNotice        Notice = iota
	NoticeCease            // with the subcode of who stops the neighbour
	NoticeHold             // Hold Timer Expired
	NoticeFSM              // Finite State Machine Error, with the state's subcode (RFC 6608)
	NoticeFault            // with the code of the fault in a message
	NoticeCollision        // Cease, Connection Collision Resolution
	NoticeSendHold         // Send Hold Timer Expired (RFC 9687)
)

// Conditions are what some entries depend on.
type Conditions struct {
	DelayOpen         bool // OPENs are sent after a delay
	DelayRunning      bool // the DelayOpenTimer is running
	NotifyWithoutOpen bool // SendNOTIFICATIONwithoutOPEN
	Passive           bool // PassiveTcpEstablishment: the neighbour is not dialled
	// Graceful: the neighbour has the capability of graceful restart for one family
	// at least (RFC 4724 §5). GracefulNotification: both have its N bit, and the
	// session does not end by a hard reset (RFC 8538 §3).
	Graceful             bool
	GracefulNotification bool
	// Unwatched: the session has to wait for BFD, which has not found the neighbour
	// (draft-ietf-idr-bgp-bfd-strict-mode).
	Unwatched bool
}

// Keeps reports whether LoseRoutes keeps the routes for a graceful restart. What an
// operator stops is not restarted.
func (c Conditions) Keeps(e Event) bool {
	switch e {
	case TCPConnectionFails, TCPRequestAcked, TCPConnectionConfirmed:
		return c.Graceful // RFC 4724 §5
	case ManualStop, AutomaticStop, OpenCollisionDump:
		return false
	}
	return c.Graceful && c.GracefulNotification // RFC 8538 §4
}

// row is an entry of the state machine, for any of some events. Stay is that the
// state does not change.
type row struct {
	from   State
	events uint32 // a set
	when   func(Conditions) bool
	to     State
	do     Action
	notice Notice
}

const stay = numStates

func on(list ...Event) (set uint32) {
	for _, e := range list {
		set |= 1 << e
	}
	return set
}

func delayOpen(c Conditions) bool    { return c.DelayOpen }
func delayRunning(c Conditions) bool { return c.DelayRunning }
func withoutOpen(c Conditions) bool  { return c.NotifyWithoutOpen }
func passive(c Conditions) bool      { return c.Passive }
func graceful(c Conditions) bool     { return c.Graceful }
func unwatched(c Conditions) bool    { return c.Unwatched }
func ceaseFirst(c Conditions) bool   { return c.DelayRunning && c.NotifyWithoutOpen }

// Sets of actions that many entries share.
const (
	end  = StopRetry | StopDelay | Drop          // the connection ends
	fall = end | CountUp | HoldIdle              // and counts as a failure
	halt = end | ZeroCounter                     // and the operator wants it
	open = StopRetry | StopDelay | SendOpen      // a TCP connection is used
	meet = StopRetry | StopDelay | SendKeepalive // an OPEN is answered
	lose = LoseRoutes | end | CountUp | HoldIdle // a session ends
	says = NegotiatedHold | Collide              // what an OPEN settles
)

var starts = on(ManualStart, AutomaticStart, ManualStartPassive, AutomaticStartPassive, AutomaticStartDamped, AutomaticStartDampedPassive)

// rows is RFC 4271 §8.2.2, in its order; of entries for the same event the first one
// whose condition holds counts. Where it differs from the RFC, doc.go says why.
var rows = []row{
	{from: Idle, events: on(ManualStart, AutomaticStart), to: Connect, do: ZeroCounter | StopIdle | StartRetry | Dial},
	{from: Idle, events: on(ManualStop), to: stay, do: StopIdle},
	{from: Idle, events: on(AutomaticStop), to: stay},
	{from: Idle, events: on(ManualStartPassive, AutomaticStartPassive), to: Active, do: ZeroCounter | StopIdle | StartRetry},
	{from: Idle, events: on(AutomaticStartDamped, AutomaticStartDampedPassive), to: stay, do: HoldIdle},
	{from: Idle, events: on(IdleHoldTimerExpires), when: passive, to: Active, do: StartRetry},
	{from: Idle, events: on(IdleHoldTimerExpires), to: Connect, do: StartRetry | Dial},
	{from: Idle, events: on(TCPConnectionValid, TCPRequestInvalid, TCPRequestAcked, TCPConnectionConfirmed), to: stay, do: Reject},

	{from: Connect, events: starts, to: stay},
	{from: Connect, events: on(ManualStop), to: Idle, do: halt},
	{from: Connect, events: on(ConnectRetryTimerExpires), to: stay, do: Drop | StopDelay | StartRetry | Dial},
	{from: Connect, events: on(DelayOpenTimerExpires), to: OpenSent, do: open | LargeHold},
	{from: Connect, events: on(TCPConnectionValid), to: stay},
	{from: Connect, events: on(TCPRequestInvalid), to: stay, do: Reject},
	{from: Connect, events: on(TCPRequestAcked, TCPConnectionConfirmed), when: delayOpen, to: stay, do: StopRetry | StartDelay},
	{from: Connect, events: on(TCPRequestAcked, TCPConnectionConfirmed), to: OpenSent, do: open | LargeHold},
	{from: Connect, events: on(TCPConnectionFails), when: delayRunning, to: Active, do: Drop | StopDelay | StartRetry},
	{from: Connect, events: on(TCPConnectionFails), to: Active, do: Drop | StartRetry},
	{from: Connect, events: on(OpenWhileDelaying), when: unwatched, to: OpenConfirm, do: open | says | AwaitBFD},
	{from: Connect, events: on(OpenWhileDelaying), to: OpenConfirm, do: open | SendKeepalive | says},
	{from: Connect, events: on(HeaderError, OpenError), when: withoutOpen, to: Idle, do: Notify | fall, notice: NoticeFault},
	{from: Connect, events: on(HeaderError, OpenError), to: Idle, do: fall},
	{from: Connect, events: on(NotificationVersionError), when: delayRunning, to: Idle, do: end | HoldIdle},
	{from: Connect, events: on(NotificationVersionError), to: Idle, do: fall},
	{from: Connect, events: on(AutomaticStop, HoldTimerExpires, KeepaliveTimerExpires, IdleHoldTimerExpires, OpenReceived, OpenCollisionDump, NotificationReceived, KeepaliveReceived, UpdateReceived, UpdateError, SendHoldTimerExpires), to: Idle, do: fall},

	{from: Active, events: starts, to: stay},
	{from: Active, events: on(ManualStop), when: ceaseFirst, to: Idle, do: Notify | halt, notice: NoticeCease},
	{from: Active, events: on(ManualStop), to: Idle, do: halt},
	{from: Active, events: on(ConnectRetryTimerExpires), when: passive, to: stay, do: StartRetry},
	{from: Active, events: on(ConnectRetryTimerExpires), to: Connect, do: StartRetry | Dial},
	{from: Active, events: on(DelayOpenTimerExpires), to: OpenSent, do: open | LargeHold},
	{from: Active, events: on(TCPConnectionValid), to: stay},
	{from: Active, events: on(TCPRequestInvalid), to: stay, do: Reject},
	{from: Active, events: on(TCPRequestAcked, TCPConnectionConfirmed), when: delayOpen, to: stay, do: StopRetry | StartDelay},
	{from: Active, events: on(TCPRequestAcked, TCPConnectionConfirmed), to: OpenSent, do: open | LargeHold},
	{from: Active, events: on(TCPConnectionFails), to: Idle, do: fall},
	{from: Active, events: on(OpenWhileDelaying), when: unwatched, to: OpenConfirm, do: open | says | AwaitBFD},
	{from: Active, events: on(OpenWhileDelaying), to: OpenConfirm, do: open | SendKeepalive | says},
	{from: Active, events: on(HeaderError, OpenError), when: withoutOpen, to: Idle, do: Notify | fall, notice: NoticeFault},
	{from: Active, events: on(HeaderError, OpenError), to: Idle, do: fall},
	{from: Active, events: on(NotificationVersionError), when: delayRunning, to: Idle, do: end | HoldIdle},
	{from: Active, events: on(NotificationVersionError), to: Idle, do: fall},
	{from: Active, events: on(AutomaticStop, HoldTimerExpires, KeepaliveTimerExpires, IdleHoldTimerExpires, OpenReceived, OpenCollisionDump, NotificationReceived, KeepaliveReceived, UpdateReceived, UpdateError, SendHoldTimerExpires), to: Idle, do: fall},

	{from: OpenSent, events: starts, to: stay},
	{from: OpenSent, events: on(ManualStop), to: Idle, do: Notify | halt, notice: NoticeCease},
	{from: OpenSent, events: on(AutomaticStop), to: Idle, do: Notify | fall, notice: NoticeCease},
	{from: OpenSent, events: on(HoldTimerExpires), to: Idle, do: Notify | fall, notice: NoticeHold},
	{from: OpenSent, events: on(TCPConnectionValid, TCPRequestAcked, TCPConnectionConfirmed), to: stay, do: Track},
	{from: OpenSent, events: on(TCPRequestInvalid), to: stay},
	{from: OpenSent, events: on(TCPConnectionFails), to: Active, do: Drop | StartRetry},
	{from: OpenSent, events: on(OpenReceived), when: unwatched, to: OpenConfirm, do: meet&^SendKeepalive | says | AwaitBFD},
	{from: OpenSent, events: on(OpenReceived), to: OpenConfirm, do: meet | says},
	{from: OpenSent, events: on(HeaderError, OpenError), to: Idle, do: Notify | fall, notice: NoticeFault},
	{from: OpenSent, events: on(OpenCollisionDump), to: Idle, do: Notify | fall, notice: NoticeCollision},
	{from: OpenSent, events: on(NotificationVersionError), to: Idle, do: end | HoldIdle},
	{from: OpenSent, events: on(NotificationReceived), to: Idle, do: fall},
	{from: OpenSent, events: on(ConnectRetryTimerExpires, KeepaliveTimerExpires, DelayOpenTimerExpires, IdleHoldTimerExpires, OpenWhileDelaying, KeepaliveReceived, UpdateReceived, UpdateError, SendHoldTimerExpires), to: Idle, do: Notify | fall, notice: NoticeFSM},

	{from: OpenConfirm, events: starts, to: stay},
	{from: OpenConfirm, events: on(ManualStop), to: Idle, do: Notify | halt, notice: NoticeCease},
	{from: OpenConfirm, events: on(AutomaticStop), to: Idle, do: Notify | fall, notice: NoticeCease},
	{from: OpenConfirm, events: on(HoldTimerExpires), to: Idle, do: Notify | fall, notice: NoticeHold},
	{from: OpenConfirm, events: on(KeepaliveTimerExpires), when: unwatched, to: stay, do: RestartKeepalive},
	{from: OpenConfirm, events: on(KeepaliveTimerExpires), to: stay, do: SendKeepalive | RestartKeepalive},
	{from: OpenConfirm, events: on(TCPConnectionValid, TCPRequestAcked, TCPConnectionConfirmed), to: stay, do: Track},
	{from: OpenConfirm, events: on(TCPRequestInvalid), to: stay},
	{from: OpenConfirm, events: on(TCPConnectionFails, NotificationReceived), to: Idle, do: fall},
	{from: OpenConfirm, events: on(NotificationVersionError), to: Idle, do: end | HoldIdle},
	{from: OpenConfirm, events: on(HeaderError, OpenError), to: Idle, do: Notify | fall, notice: NoticeFault},
	{from: OpenConfirm, events: on(OpenCollisionDump), to: Idle, do: Notify | fall, notice: NoticeCollision},
	{from: OpenConfirm, events: on(KeepaliveReceived), when: unwatched, to: stay, do: RestartHold},
	{from: OpenConfirm, events: on(KeepaliveReceived), to: Established, do: RestartHold},
	{from: OpenConfirm, events: on(ConnectRetryTimerExpires, DelayOpenTimerExpires, IdleHoldTimerExpires, OpenReceived, OpenWhileDelaying, UpdateReceived, UpdateError, SendHoldTimerExpires), to: Idle, do: Notify | fall, notice: NoticeFSM},

	{from: Established, events: starts, to: stay},
	{from: Established, events: on(ManualStop), to: Idle, do: LoseRoutes | Notify | halt, notice: NoticeCease},
	{from: Established, events: on(AutomaticStop), to: Idle, do: Notify | lose, notice: NoticeCease},
	{from: Established, events: on(HoldTimerExpires), to: Idle, do: Notify | lose, notice: NoticeHold},
	{from: Established, events: on(KeepaliveTimerExpires), to: stay, do: SendKeepalive | RestartKeepalive},
	{from: Established, events: on(TCPRequestInvalid), to: stay},
	{from: Established, events: on(TCPRequestAcked, TCPConnectionConfirmed), when: graceful, to: Connect, do: LoseRoutes | Drop | ZeroCounter | StartRetry | Track},
	{from: Established, events: on(TCPConnectionValid, TCPRequestAcked, TCPConnectionConfirmed), to: stay, do: Track},
	{from: Established, events: on(OpenCollisionDump), to: Idle, do: Notify | lose, notice: NoticeCollision},
	{from: Established, events: on(TCPConnectionFails, NotificationVersionError, NotificationReceived), to: Idle, do: lose},
	{from: Established, events: on(KeepaliveReceived), to: stay, do: RestartHold},
	{from: Established, events: on(UpdateReceived), to: stay, do: RestartHold | Process},
	{from: Established, events: on(UpdateError, HeaderError), to: Idle, do: Notify | lose, notice: NoticeFault},
	{from: Established, events: on(SendHoldTimerExpires), to: Idle, do: Notify | lose, notice: NoticeSendHold},
	{from: Established, events: on(ConnectRetryTimerExpires, DelayOpenTimerExpires, IdleHoldTimerExpires, OpenReceived, OpenWhileDelaying, OpenError), to: Idle, do: Notify | lose, notice: NoticeFSM},
}

// byEvent is the entries of each state and event, in their order.
var byEvent = func() (all [numStates][numEvents][]*row) {
	for i := range rows {
		r := &rows[i]
		for e := range numEvents {
			if r.events>>e&1 != 0 {
				all[r.from][e] = append(all[r.from][e], r)
			}
		}
	}
	return all
}()

// Next gives the state after the event, what has to be done, and which NOTIFICATION
// is sent. An event that has no entry for the state changes nothing, and ok is
// false.
func (s State) Next(e Event, c Conditions) (to State, do Action, n Notice, ok bool) {
	for _, r := range byEvent[s][e] {
		switch {
		case r.when != nil && !r.when(c):
			continue
		case r.to == stay:
			return s, r.do, r.notice, true
		}
		return r.to, r.do, r.notice, true
	}
	return s, 0, NoNotice, false
}
