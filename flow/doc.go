// Package flow is the session table: who talks to whom, how far a TCP
// connection has got, and when a session that nobody uses ends. It knows
// nothing of translation; NAT and stateful filters both stand on it.
//
// A session has two keys: that of the packets of the side that began, and
// that of the answers, each as it arrives. A packet of one direction leaves
// as the reverse of the other direction's key; where the two are each
// other's reverse, nothing is translated.
package flow
