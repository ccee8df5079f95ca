package lab

import (
	"regexp"
	"strings"
	"time"

	"routerd/internal/tomltext"
)

// Pattern is a regular expression in which ^ and $ match at every line.
type Pattern struct{ *regexp.Regexp }

var (
	nodeName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	deviceName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$`) // IFNAMSIZ holds 15 and a zero
)

const nameWanted = "1 to 32 lower-case letters, digits and '-', with no '-' at either end"

func isName(s string) bool { return nodeName.MatchString(s) && len(s) <= 32 }

// labName reads the name of the lab, the prefix of namespaces and sockets.
var labName = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !isName(s) {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: nameWanted}

var kindReading = tomltext.OneOf(kindWords(), kinds)

var wireReading = tomltext.OneOf(words(Wires), Wires)

func kindWords() []string { return words(kinds) }

func words[W ~string](all []W) []string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return words
}

// endReading reads NODE:INTERFACE.
var endReading = tomltext.Reading[End]{Read: func(v any) (End, error) {
	s, _ := v.(string)
	node, device, ok := strings.Cut(s, ":")
	if !ok || !deviceName.MatchString(device) {
		return End{}, tomltext.ErrUnwanted
	}
	if device == "lo" {
		return End{}, tomltext.Hint{Message: "which every node has without a link"}
	}
	return End{Node: node, Interface: device}, nil
}, Want: `NODE:INTERFACE, the interface at most 15 letters, like "r1:lan0"`}

var patternReading = tomltext.Reading[Pattern]{Read: func(v any) (Pattern, error) {
	s, ok := v.(string)
	if !ok {
		return Pattern{}, tomltext.ErrUnwanted
	}
	r, err := regexp.Compile("(?m)" + s)
	if err != nil {
		why := strings.Replace(strings.TrimPrefix(err.Error(), "error parsing regexp: "), "(?m)", "", 1)
		return Pattern{}, tomltext.Hint{Message: "which is none: " + why}
	}
	return Pattern{r}, nil
}, Want: `a regular expression, like "[0-9]+ received"`}

// commandReading reads a line for sh.
var commandReading = tomltext.Reading[string]{Read: func(v any) (string, error) {
	s, _ := v.(string)
	if strings.TrimSpace(s) == "" {
		return "", tomltext.ErrUnwanted
	}
	return s, nil
}, Want: "a command, as sh takes it"}

// durationReading reads the time limit of a test.
var durationReading = tomltext.Duration(time.Millisecond, 24*time.Hour)
