package ospf

// pages is a list that grows without being copied, by so many elements at a time. The
// zero list is empty.
type pages[T any] struct {
	list []*[pageSize]T
	n    int
}

const pageSize = 256

// at gives an element, which stays where it is.
func (p *pages[T]) at(i int32) *T { return &p.list[uint32(i)/pageSize][uint32(i)%pageSize] }

// add adds an element, a zero one, and gives its place.
func (p *pages[T]) add() int32 {
	if p.n == pageSize*len(p.list) {
		p.list = append(p.list, new([pageSize]T))
	}
	p.n++
	return int32(p.n - 1)
}
