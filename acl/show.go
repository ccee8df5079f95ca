package acl

import "routerd/internal/origin"

// Place is a rule, the default action of a list, or a pair of zones without a
// policy, as people see it.
type Place struct {
	List     string // "" = a pair of zones without a policy
	Rule     string // "" = the default action
	From, To string // of the pair; "" = no zone
	Action   Action
	Logs     bool // its packets are told
	Origin   origin.ID
}

// Place gives the rule with the number, and whether it is in use.
func (r *Rules) Place(number uint32) (Place, bool) {
	slot := Slot(number)
	if int(slot) >= len(r.entries) || r.entries[slot] == (entry{}) || r.lives[slot] != number>>slotBits {
		return Place{}, false
	}
	e := r.entries[slot]
	return Place{e.list, e.rule, e.from, e.to, e.action, e.logs, e.origin}, true
}

// Slots is the length of an array indexed by the Slots of rules' numbers.
func (r *Rules) Slots() int { return len(r.entries) }

// Logged gives the numbers of the rules, and default actions, that log. The
// caller must not change the list.
func (r *Rules) Logged() []uint32 { return r.logged }

// Lists calls yield with the name of each list and the numbers of its rules in
// their order, that of the default action last.
func (r *Rules) Lists(yield func(name string, numbers []uint32) bool) {
	for _, l := range r.lists {
		numbers := make([]uint32, 0, len(l.source.Rules)+1)
		for i := range l.source.Rules {
			numbers = append(numbers, r.numbers[id{list: l.Name, rule: l.source.Rules[i].Name}])
		}
		if !yield(l.Name, append(numbers, l.number)) {
			return
		}
	}
}
