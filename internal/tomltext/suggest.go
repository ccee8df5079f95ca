package tomltext

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Suggest returns the known word that was probably meant, or "".
func Suggest(word string, known []string) string {
	best, distance := "", len(word)/2+1 // with more than half of it wrong it is another word
	slices.Sort(known)
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	if distance > 1 {
		best = cmp.Or(with(word, known), best)
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// with returns the only known word that has the given one between its hyphens, so that
// who has written password finds auth-password-file; "" if there is none, or several.
func with(word string, known []string) (found string) {
	for _, k := range known {
		switch {
		case len(word) < 4 || !slices.Contains(strings.Split(k, "-"), word):
		case found != "":
			return ""
		default:
			found = k
		}
	}
	return found
}

// editDistance counts the insertions, deletions, changes and swaps of adjacent
// characters that turn a into b (Damerau-Levenshtein, each place edited once).
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
