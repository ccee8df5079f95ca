package tomltext

import "testing"

func TestSuggest(t *testing.T) {
	for _, tt := range []struct{ word, want string }{
		{"adresses", "addresses"},
		{"mut", "mtu"},
		{"mutu", "mtu"},
		{"kidn", "kind"},
		{"zzzz", ""},
		{"q", ""},
		{"", ""},
		{"password", "auth-password-file"},
		{"limit", ""},
		{"auth", "auth-password-file"},
	} {
		want := ""
		if tt.want != "" {
			want = `did you mean "` + tt.want + `"?`
		}
		if got := Suggest(tt.word, []string{"addresses", "mtu", "kind", "host", "passive", "auth-password-file", "low-limit-of", "limit-of-all"}); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", tt.word, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"abc", "abx", 1},
		{"abc", "ac", 1},
		{"abc", "aabc", 1},
		{"abc", "acb", 1},
		{"abcd", "badc", 2},
		{"ü", "u", 1},
		{"kitten", "sitting", 3},
	} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("from %q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if back := editDistance(tt.b, tt.a); back != tt.want {
			t.Errorf("from %q to %q: %d, want %d", tt.b, tt.a, back, tt.want)
		}
	}
}
