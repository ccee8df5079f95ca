// Package fib is the forwarding table: longest-prefix match and next-hop
// groups, immutable, published by one pointer.
//
// # One writer, any number of readers
//
// A [FIB] never changes. Its writer, the owner of the RIB, makes the next one
// with a [Writer], in as many pieces as it likes, and publishes it by an atomic
// store; a worker loads the pointer once per batch and looks up all its packets in
// the same state. A state that nobody reads any more goes with the garbage. There
// is nothing to lock, and nothing half done is ever seen: all changes of one state
// appear together.
//
// # What serves
//
// What packets need of an entry is its [Way]: the action and the group. Ways have
// numbers, and the table for packets maps addresses to those:
//
//   - an index (index.go) leads from the first two bytes of an IPv4 address, and
//     the first three of an IPv6 address, to a quarter of the values of the next
//     byte: 64 of them, a byte each, in one line of memory. A lookup in an IPv4
//     table of the internet reads two lines that may be far away, and no more;
//   - behind four bytes of an IPv6 address there are runs of the values of the next
//     two (spread.go), 14 in a line of memory. Of more there is a line in front, which
//     leads to up to 16 such lines, as in Zec and others, DXR, 2012; of still more, a
//     step by four bits;
//   - below, blocks (block.go) have a node for each byte at which prefixes end or
//     part. A node is cut into quarters too, each a bitmap of where the value
//     changes and the values, so that a lookup counts bits (Asai and Ohara,
//     Poptrie, 2015, and Degermark and others, Small Forwarding Tables, 1997, do
//     alike);
//   - nothing for bytes in between: a node has the bytes in front to compare.
//
// A [Query] is 32 addresses looked up at once. Each step, which is one read from
// memory, is made for all of them before the next one, and before what depends on it,
// so that the processor waits for many reads at a time; a lookup alone gains nothing. A small table, which is
// always near the processor, is asked for one address after the other.
//
// Quarters, spreads and blocks hold no pointers but to what is below. The index leads to a
// tree of stems too (stem.go), which holds what the entries say, each different one
// once; they are written from it, and it answers whoever needs the entry
// ([FIB.Lookup], [FIB.Get], [FIB.Walk]). Packets never touch it.
//
// A change copies what leads to it in the index. Of quarters it writes the bytes that
// it touches (repaint.go), of spreads the lines, and its block anew; a block is never
// larger than a few hundred words. A long list of prefixes is not copied each time, but has the change
// beside it (list.go). The rest is shared with the table before. So a batch of changes
// costs what it touches. What changes in many parts of the table will touch is read for
// 32 of them side by side before they are made (ahead.go).
//
// The first 191 ways in use fit the bytes of a quarter. A quarter with others is
// written as a block, of values of 16 bits, as are those below; a lookup there reads
// two lines more. Where more than 32,766 ways are in use at once, those that get no
// number are found by the prefix of the entry, which takes several lookups.
//
// What an entry says but for its prefix has a number as well (facts.go), of 20 bits, so
// that an entry is a key of four bytes: its place in the byte in which its prefix ends,
// and the number. Nothing is there for each entry that the collector would follow. Where
// entries say more than 1,048,574 different things at once, those that get no number are
// kept by their prefix, and each state that changes one of them copies the list of them.
//
// Measured beside bart.Fast, in turn within one run on two idle cores, with the
// 901,899 IPv4 and 160,147 IPv6 prefixes of a public
// table over 64 next hops (BenchmarkFind, BenchmarkChanges, BenchmarkSize; what
// Find takes is per address, of batches of 32, in processor time; where the prefixes
// that change are drawn anywhere, hardly any is met twice):
//
//	                                   IPv4   bart.Fast     IPv6   bart.Fast
//	address inside a random prefix    21 ns      120 ns    56 ns      117 ns
//	address anywhere (in 2000::/3)    19 ns       77 ns     7 ns       12 ns
//	one change, alone                2.7 µs      7.3 µs   4.3 µs      6.3 µs
//	one of 1,000 neighbours           .3 µs      7.7 µs    .4 µs      6.4 µs
//	one of 1,000 anywhere            1.0 µs      7.8 µs   2.2 µs      6.4 µs
//	one of all, in order             106 ns      124 ns   179 ns      199 ns
//	one of all, in no order          362 ns      257 ns   373 ns      358 ns
//	memory that lookups read        6.2 MiB               4.3 MiB
//	memory, what entries say apart   12 MiB      30 MiB     9 MiB      13 MiB
//
// What entries say is 80 bytes more for each different one, and they share their
// groups. The bart.Fast of the changes is its persistent insert, that of all its bulk
// load. One change copies 1.3 KB in 5 pieces, in IPv6 3.2 KB in 15. In IPv4 it waits for
// memory that has long been unread most of the time, and for new memory and the collector
// a quarter; in IPv6 these are more than a third: while the collector marks, each pointer
// of a copy is shown to it. Late changes of 14 instead of 8 gained nothing. Of an address
// anywhere in IPv6, the queries and their answers are more than half of the time.
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
//
// A hop may be a backup ([NextHop].Backup): a loop-free alternate (RFC 5286), or the
// second best path of BGP. Backups get flows only while none of the group's other
// hops lives; to them too it is one store, and no change of the table.
package fib
