package rip

// list is a doubly linked queue whose nodes are fields of the queued values.
// Values are appended at the end and may be removed anywhere.
type list[T any] struct{ root node[T] }

type node[T any] struct {
	prev, next *node[T]
	of         *T // the value that has this node; nil in the root
}

func (l *list[T]) init() { l.root.prev, l.root.next = &l.root, &l.root }

func (l *list[T]) push(n *node[T], of *T) {
	n.of, n.prev, n.next = of, l.root.prev, &l.root
	n.prev.next, l.root.prev = n, n
}

func (l *list[T]) front() *T { return l.root.next.of }

// in reports whether the node is in a list.
func (n *node[T]) in() bool { return n.next != nil }

func (n *node[T]) remove() {
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
}
