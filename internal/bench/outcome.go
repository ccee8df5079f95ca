package bench

// Outcome is what became of the marks of a run, better ones first. As an
// integer it is not the exit code: see Code.
type Outcome int

const (
	// Met: every mark that the run was asked to judge was judged, and is met.
	Met Outcome = iota
	// NotRun: those that were judged are met, and for some there was nothing
	// to judge by, because a program or a family was not there.
	NotRun
	// Missed: a mark is missed, or void, or was judged by too little.
	Missed
)

// Worse is the worse of two outcomes: one for both together.
func (o Outcome) Worse(other Outcome) Outcome { return max(o, other) }

// Code is what a command of the bench exits with: 0 when all marks are met, 3
// when some could not be judged and the others are met, 1 when one is missed.
// (1 is also an error's, 2 that of wrong usage.) So nobody who looks at the exit
// code takes what did not run for what passed.
func (o Outcome) Code() int {
	switch o {
	case Met:
		return 0
	case NotRun:
		return 3
	}
	return 1
}

// Judge is the verdict on one mark that wants something: measured tells whether
// there was anything to judge by.
func Judge(measured, met bool) (word string, o Outcome) {
	switch {
	case !measured:
		return NotTaken, NotRun
	case met:
		return Pass, Met
	}
	return Miss, Missed
}
