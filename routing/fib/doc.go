// Package fib is the forwarding table: longest-prefix match and next-hop
// groups, immutable, published by one pointer.
//
// # One writer, any number of readers
//
// A [FIB] never changes. Its writer, the owner of the RIB, makes the next one
// with [FIB.Apply] and publishes it by an atomic store; a worker loads the
// pointer once per batch and looks up all its packets in the same state. A
// state that nobody reads any more goes with the garbage. There is nothing to
// lock, and nothing half done is ever seen: all changes of one Apply appear
// together.
//
// # What serves
//
// What packets need of an entry is its [Way]: the action and the group. Ways have
// numbers of 16 bits, and the table for packets maps addresses to those:
//
//   - the first two bytes of an address are an index into slots;
//   - below, a node for each byte at which prefixes end or part, cut into four
//     quarters, each a bitmap of where the value changes and the values, so that
//     a lookup counts bits (Asai and Ohara, Poptrie, 2015, and Degermark and
//     others, Small Forwarding Tables, 1997, do alike);
//   - nothing for bytes in between: a node has the bytes in front to compare.
//
// A [Query] is 32 addresses looked up at once. Each step is made for all of them
// before the next one, so that the processor waits for many loads at a time; a
// lookup alone gains nothing.
//
// The nodes lie in pages without pointers (words.go). A second tree, of stems,
// holds the entries themselves; its nodes are written from it, and it answers
// whoever needs the entry ([FIB.Lookup], [FIB.Get], [FIB.Walk]). Packets never
// touch it.
//
// A change copies the stems on its path and the pages it writes to, once for all
// changes of an Apply; the rest is shared with the table before. So a batch of
// changes costs what it touches.
//
// # Groups
//
// A [Group] spreads flows over its hops by weight; see there how it moves no
// more flows than it must. Entries that lead the same way hold the same
// Group, so the memory of a million routes does not depend on how many hops
// they have. A hop's Index is its place in the neighbour table: forwarding
// reaches the link address by an array index, without this room knowing what
// a neighbour is.
//
// A hop's [State] is shared by all groups that the hop is in. A link that loses
// its carrier is one store for each neighbour on it, however many routes lead
// there: the next packet of each of those flows goes by another hop of its
// group, in tables published long ago as well, while the owner of the RIB works
// out what the routes are now. A group with no other hop has to wait for that.
//
// A neighbour that does not answer ARP or neighbour discovery is passed over too,
// but no packet is refused for that alone: where nothing better is left, packets
// go there, wait and ask, as the kernel's do with fib_multipath_use_neigh.
package fib
