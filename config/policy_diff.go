package config

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"routerd/routing/policy"
)

// policyObjects adds the sets and policies to what Diff compares.
func (c *Config) policyObjects(all map[string]object) {
	for i := range c.Policy.PrefixSets {
		s := &c.Policy.PrefixSets[i]
		fields := map[string]string{"prefixes": prefixText(s.Entries)}
		all["policy.prefix-set."+s.Name] = object{fields, c.Origins.Place(s.Origin)}
	}
	for _, d := range c.Policy.Policies {
		fields := map[string]string{}
		for n := range d.Statements {
			fields[fmt.Sprintf("statement[%d]", n+1)] = statementText(&d.Statements[n])
		}
		all["policy.definition."+d.Name] = object{fields, c.Origins.Place(d.Origin)}
	}
}

// prefixText is what is in a set; of a large one, a number that stands for it.
func prefixText(entries []policy.PrefixRange) string {
	text := joined(entries)
	if most := 8; len(entries) > most {
		return fmt.Sprintf("%d prefixes (sum %.4x)", len(entries), sha256.Sum256([]byte(text)))
	}
	return text
}

// statementText is a statement in words: "match prefix-set ours; set tag 7;
// accept".
func statementText(s *policy.Statement) string {
	var match, set, parts []string
	said := func(list *[]string, key, value string) {
		if value != "" {
			*list = append(*list, key+" "+value)
		}
	}
	said(&match, "prefix-set", strings.Join(s.Match.PrefixSets, " "))
	said(&match, "protocol", joined(s.Match.Protocols))
	said(&match, "tag", joined(s.Match.Tags))
	said(&match, "metric", joined(s.Match.Metrics))
	said(&match, "next-hop", joined(s.Match.NextHops))
	for _, f := range s.Match.Families {
		said(&match, "family", fmt.Sprintf("ipv%d", f))
	}
	match = append(match, words(s.Match.Registered)...)
	if m := s.Set.Metric; m != nil {
		said(&set, "metric", fmt.Sprint(*m))
	}
	said(&set, "metric-add", textOf(s.Set.MetricAdd, s.Set.MetricAdd != 0))
	if t := s.Set.Tag; t != nil {
		said(&set, "tag", fmt.Sprint(*t))
	}
	said(&set, "next-hop", textOf(s.Set.NextHop, s.Set.NextHop.IsValid()))
	set = append(set, words(s.Set.Registered)...)
	said(&parts, "name", s.Name)
	said(&parts, "match", strings.Join(match, ", "))
	said(&parts, "set", strings.Join(set, ", "))
	return strings.Join(append(parts, s.Action.String()), "; ")
}

func words[T fmt.Stringer](list []T) (words []string) {
	for _, v := range list {
		words = append(words, v.String())
	}
	return words
}
