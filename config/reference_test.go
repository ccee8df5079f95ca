package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"routerd/deploy"
	"routerd/internal/protocols"
	"routerd/internal/tomltext"
	"routerd/routing/policy"
)

// undocumented are the keys and tables of which the example says nothing.
// What tests of this package register is none of the configuration's.
func undocumented(r *Reference) []string {
	var names []string
	for _, t := range r.topics {
		registered := slices.ContainsFunc(policy.Extensions(), func(e policy.Extension) bool { return e.Name == last(t.Name) || e.Sets == last(t.Name) })
		container := t.Table && len(t.Below) > 0 && !slices.Contains(r.tables, t) // and holds nothing but tables
		if t.Says() == "" && !registered && !container {
			names = append(names, t.Name)
		}
	}
	return names
}

// Every key that the decoder asks for stands in the shipped example, with a
// word on what it is for.
func TestExampleIsComplete(t *testing.T) {
	r, err := LoadReference()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range undocumented(r) {
		t.Errorf("deploy/routerd.toml does not say what %s is for", name)
	}
	// What the example does not show may still be asked for somewhere.
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files to read: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := Parse(file, text)
		for _, k := range c.recording.Keys() {
			if r.named[display(k.Pattern)] == nil {
				t.Errorf("%s has the decoder ask for %s, which deploy/routerd.toml does not show", file, k.Pattern)
			}
		}
	}
}

// The test above notices a key that is missing, and one that stands there
// without a word; and the example has no key that nobody asks for.
func TestExampleIsJudged(t *testing.T) {
	for _, tt := range []struct {
		old, new string
		want     []string
	}{
		{"passive = true                     # receives, and sends only to its neighbors", "", []string{"rip.interface.NAME.passive", "ripng.interface.NAME.passive"}},
		{"preferred-lifetime = \"168h\"        # how long new connections may use it", "preferred-lifetime = \"168h\"", []string{"interface.NAME.ra.preferred-lifetime"}},
		{"# timeout: how long an unused neighbour is remembered\n", "", []string{"interface.NAME.neighbor.timeout"}},
	} {
		if !strings.Contains(deploy.Example, tt.old) {
			t.Errorf("the example has no %q", tt.old)
			continue
		}
		r, err := readReference(strings.Replace(deploy.Example, tt.old, tt.new, 1))
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(tt.want, undocumented(r)); d != "" {
			t.Errorf("without %q (-want +got):\n%s", tt.old, d)
		}
	}
	if _, err := readReference(deploy.Example + "\nnobody-asks = 1\n"); err == nil || !strings.Contains(err.Error(), "nobody-asks") {
		t.Errorf("a key that nobody asks for: %v", err)
	}
}

// A key is found however people write it, and one that there is not is answered
// with one that may be meant.
func TestReferenceFind(t *testing.T) {
	r, err := LoadReference()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"rip.interface.NAME.passive": "rip.interface.NAME.passive", "rip.interface.lan0.passive": "rip.interface.NAME.passive",
		"[[static.route]]": "static.route", "static.route[3].next-hop": "static.route.next-hop", "keys.core[1].id": "keys.NAME.id",
		"interface.lan0.host.netns": "interface.NAME.host.netns", `interface."lan0".mtu`: "interface.NAME.mtu", "name": "name",
		`bfd.peer."10.0.12.2".profile`: "bfd.peer.NAME.profile", `[ospf.area.7.virtual-link."10.255.0.9"]`: "ospf.area.NAME.virtual-link.NAME",
	} {
		if topic, err := r.Find(key); err != nil || topic.Name != want {
			t.Errorf("%s: %v, %v; want %s", key, topic, err, want)
		}
	}
	for key, want := range map[string]string{
		"passive":                `has no key "passive"; did you mean bfd.profile.NAME.passive or bgp.neighbor.NAME.passive or bgp.peer-group.NAME.passive or ospf.interface.NAME.passive or rip.interface.NAME.passive or ripng.interface.NAME.passive?`,
		"rip.interface.a.pasive": `did you mean "rip.interface.NAME.passive"?`,
		"quite.something":        "routerd help config lists its tables",
	} {
		if _, err := r.Find(key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
	topic, _ := r.Find("ripng.interface.six.metric")
	if topic.Like != "rip.interface.NAME.metric" || topic.Default != "1" || !strings.Contains(topic.Says(), "cost of the network") {
		t.Errorf("the metric of RIPng is explained as %+v", topic)
	}
	// Tables whose name has to stand in quotes.
	for key, want := range map[string]string{
		"bfd.peer.NAME": "Neighbors that have a session though nobody asks for it", "ospf.area.NAME.virtual-link.NAME": "A virtual link to the backbone",
	} {
		if topic, err := r.Find(key); err != nil || !strings.HasPrefix(topic.Says(), want) {
			t.Errorf("%s is explained as %q, %v; want %s", key, topic.Says(), err, want)
		}
	}
	for begun, want := range map[string][]string{
		"rip.interface.": {"rip.interface.NAME", "rip.interface.NAME."}, "rip.interface.core0.pas": {"rip.interface.core0.passive"},
		"ic": {"icmp", "icmp."}, "rip.max-routes.": nil, "zzz": nil,
	} {
		if got := r.Complete(begun); !slices.Equal(got, want) {
			t.Errorf("%s goes on as %q, want %q", begun, got, want)
		}
	}
}

func everyProtocol(string) bool { return true }

// What changes mean is said of keys and tables that there are.
func TestImpactsAreOfKeys(t *testing.T) {
	r, err := LoadReference()
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, i := range impacts(everyProtocol) {
		if r.named[display(i.Pattern)] == nil {
			t.Errorf("the configuration has no %s, which %q is said of", i.Pattern, i.Means)
		}
		if !slices.Contains([]string{"added", "removed", "changed", "moved", ""}, i.Kind) || i.Means == "" {
			t.Errorf("impact %+v", i)
		}
		first, _, _ := strings.Cut(i.Pattern, ".")
		of[first]++
	}
	for _, p := range protocols.All() {
		if of[p.Name] == 0 {
			t.Errorf("%s says of no change what it means for traffic", p.Name)
		}
	}
}

// Every key and table of BGP says what a change of it means: whoever adds one says so too.
func TestEveryKeyOfBGPHasAnImpact(t *testing.T) {
	r, err := LoadReference()
	if err != nil {
		t.Fatal(err)
	}
	list, looked := impacts(everyProtocol), 0
	for _, topic := range r.topics {
		if topic.Name != "bgp" && !strings.HasPrefix(topic.Name, "bgp.") || last(topic.Name) == "description" {
			continue // a description changes nothing but what is shown
		}
		if r.named[topic.Name+".NAME"] != nil {
			continue // it holds tables by name and says nothing itself
		}
		kinds := []string{"changed"}
		if topic.Table {
			kinds = []string{"added", "removed"}
		}
		pattern := func(name string) string { return strings.ReplaceAll(name, "NAME", "*") }
		for _, kind := range kinds {
			// The table that a key counts as one of is the last one with a name.
			of := topic.Name
			for !topic.Table && of != "" && last(of) != "NAME" {
				of = parent(of)
			}
			d := tomltext.Difference{Kind: kind, Pattern: pattern(topic.Name), Table: pattern(of)}
			if looked++; impact(list, &d) == "" {
				t.Errorf("%s: that it is %s means nothing", topic.Name, kind)
			}
		}
	}
	if looked < 150 {
		t.Errorf("%d changes looked at, want those of every key of BGP", looked)
	}
}
