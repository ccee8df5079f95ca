package bfd

import "container/heap"

// queue has the sessions in the order in which they are due.
type queue []*session

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *queue) Push(x any) {
	s := x.(*session)
	s.at = len(*q)
	*q = append(*q, s)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.at = -1
	return s
}

// place puts a session where it belongs now, or takes it out where nothing is due.
func (q *queue) place(s *session) {
	due := s.transmitAt
	if d := s.detectAt; !d.IsZero() && (due.IsZero() || d.Before(due)) {
		due = d
	}
	s.due = due
	switch {
	case s.at >= 0 && due.IsZero():
		heap.Remove(q, s.at)
	case s.at >= 0:
		heap.Fix(q, s.at)
	case !due.IsZero():
		heap.Push(q, s)
	}
}

// remove takes a session out.
func (q *queue) remove(s *session) {
	if s.at >= 0 {
		heap.Remove(q, s.at)
	}
}
