package bench

// Outcome is the result of the marks of a run, better ones first. The integer
// is not the exit code: see Code.
type Outcome int

const (
	// Met: every mark that the run was asked to judge was judged, and is met.
	Met Outcome = iota
	// NotRun: those that were judged are met, and some could not be judged,
	// because a program or a family is missing.
	NotRun
	// Missed: a mark is missed, or void, or has too few measurements.
	Missed
)

// Worse is the worse of two outcomes: one for both together.
func (o Outcome) Worse(other Outcome) Outcome { return max(o, other) }

// Code is what a command of the bench exits with: 0 when all marks are met, 3
// when some could not be judged and the others are met, 1 when one is missed.
// (1 is also an error's, 2 that of wrong usage.) So the exit code tells what
// did not run from what passed.
func (o Outcome) Code() int {
	switch o {
	case Met:
		return 0
	case NotRun:
		return 3
	}
	return 1
}

// Judge is the verdict on one mark; measured says whether it could be measured.
func Judge(measured, met bool) (word string, o Outcome) {
	switch {
	case !measured:
		return NotTaken, NotRun
	case met:
		return Pass, Met
	}
	return Miss, Missed
}
