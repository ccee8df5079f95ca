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
// Inside is a multibit trie, bart.Fast. Callers cannot tell, and a structure
// that is faster still in batches (DIR-24-8, a popcount trie) may take its
// place behind the same names. Measured with 1,062,046 prefixes of the public
// table (901,899 of them IPv4) on a two-core virtual machine, per operation
// (BenchmarkTrie repeats it):
//
//	              random hit   one persistent insert   clone   memory
//	bart.Fast     205-255 ns   14 µs                   54 ms   43 MiB
//	bart.Table    255-305 ns   11 µs                   45 ms   30 MiB
//
// The lookup is paid for every packet and the insert for every change, and
// changes come in batches; so Fast, for 13 MiB more. Memory is that of the
// trie; an [Entry] is another 64 bytes, and entries share their groups.
//
// A persistent change copies the nodes on its path. A batch of more than one
// change per 250 prefixes is cheaper as one clone, changed in place before it
// is published; Apply chooses. A million routes in one batch load in about a
// fifth of a second.
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
