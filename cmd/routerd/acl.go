package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"routerd/config"
	"routerd/internal/acltest"
	"routerd/internal/control"
	"routerd/internal/lab"
	"routerd/internal/show"
)

func newACLCommand(s *session) *cobra.Command {
	return group("acl", "Try the rules of a packet filter before they are used", newACLTestCommand(s))
}

// filterFiles are the files of one run of acl test.
type filterFiles struct{ tests, config, node string }

func newACLTestCommand(s *session) *cobra.Command {
	files, asJSON := filterFiles{}, false
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "Test a configuration's packet filter with the packets in a file",
		Long: `Run the packets that FILE describes through the router that a configuration
describes, and compare what becomes of each with what FILE wants. No router has to
run, and nothing is sent: the packets go through the stages that live packets go
through, translation and routes included, in memory.

The configuration is the one of --config, else the one that FILE names, else
` + defaultConfig + `. It may be the topology of a lab, with --node, or node in FILE.

A test is one packet, and those that come after it: each test begins without
sessions. No time passes, so the rates of limits bound nothing. Protocols do not
run; FILE says which routes they would learn.

  config = "routerd.toml"            # relative to this file
  [[test]]
  name = "the LAN reaches the internet, and is answered"
  inbound-interface = "lan0"
  source = "10.0.1.2"
  destination = "198.51.100.9"
  protocol = "tcp"                   # absent: icmp or icmpv6, an echo request
  destination-port = 443
  want = "accept"                    # accept | drop | reject; or verdict = "no_route", say
  outbound-interface = "wan0"        # from here on as wanted, too
  acl = "lan-in"
  rule = "web"
  [[test.then]]
  answers = "reply"                  # reply | port-unreachable | too-big | time-exceeded
  state = "established"
  want = "accept"

A packet may also have source-port, tcp-flags, icmp-type, dscp, length, ttl and
fragments, in the words of a rule.

Exits with 1 if a packet does not fare as wanted.`,
		Example: "  routerd acl test gateway-tests.toml --config /etc/routerd/routerd.toml\n  routerd acl test deploy/acl/gateway-tests.toml",
		Args:    named,
		RunE: func(_ *cobra.Command, args []string) error {
			files.tests = args[0]
			report, err := s.testFilter(files, asJSON)
			if err != nil {
				return err
			}
			if asJSON {
				if err := show.Encode(s.out, report); err != nil {
					return err
				}
			}
			if report.Failed > 0 {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&files.config, "config", "", "the configuration, or the topology of a lab, that is tested: a `file`")
	cmd.Flags().StringVar(&files.node, "node", "", "the `router` of the topology")
	addTextOrJSON(cmd, &asJSON)
	return cmd
}

// testFilter runs all tests and, unless the report is for JSON, prints each as
// soon as it has run.
func (s *session) testFilter(files filterFiles, asJSON bool) (*filterReport, error) {
	tests, problems, err := config.LoadFilterTests(files.tests)
	if err != nil {
		return nil, err
	}
	if config.Failed(problems) {
		return nil, s.refused(files.tests, problems)
	}
	cfg, err := s.filtered(&files, tests)
	if err != nil {
		return nil, err
	}
	router, err := acltest.New(cfg.Router(), tests.Routes, time.Now())
	if err != nil {
		return nil, err
	}
	report := &filterReport{File: files.tests, Config: files.config, Tests: []filterTest{}}
	view := filterView{cfg: cfg, config: files.config, router: router}
	screen := s.screen(false)
	for i := range tests.Tests {
		t := view.test(&tests.Tests[i])
		if t.Passed {
			report.Passed++
		} else {
			report.Failed++
		}
		report.Tests = append(report.Tests, t)
		if !asJSON {
			drawFilterTest(screen, &t)
		}
	}
	if !asJSON {
		fmt.Fprintf(s.out, "%d passed, %d failed\n", report.Passed, report.Failed)
	}
	return report, nil
}

// filtered reads the configuration that tests are about, and sets its path.
func (s *session) filtered(files *filterFiles, t *config.FilterTests) (*config.Config, error) {
	files.node = cmp.Or(files.node, t.Node)
	if files.config == "" && t.Config != "" {
		if files.config = t.Config; !filepath.IsAbs(t.Config) {
			files.config = filepath.Join(filepath.Dir(files.tests), t.Config)
		}
	}
	files.config = cmp.Or(files.config, defaultConfig)
	cfg, problems, topology, err := lab.Config(files.config, files.node)
	if err == nil && !topology {
		if files.node != "" {
			return nil, usagef("node %s: %s is a configuration, not the topology of a lab", files.node, files.config)
		}
		var wrong []config.Problem
		cfg, wrong, err = config.Load(files.config)
		problems = wrong
	}
	switch {
	case err != nil:
		return nil, err
	case config.Failed(problems):
		return nil, s.refused(files.config, problems)
	}
	return cfg, nil
}

// refused prints the errors of a file on the standard error, and gives the
// error that ends the command.
func (s *session) refused(file string, problems []config.Problem) error {
	wrong := 0
	for _, p := range problems {
		if !p.Warning {
			wrong++
			fmt.Fprintf(s.err, "%s\n\n", p)
		}
	}
	return fmt.Errorf("%s has %s", file, show.Plural(wrong, "error", "errors"))
}

// filterReport is the JSON output of acl test. Fields are only ever added.
type filterReport struct {
	File   string       `json:"file"`
	Config string       `json:"config"`
	Passed int          `json:"passed"`
	Failed int          `json:"failed"`
	Tests  []filterTest `json:"tests"` // in the order of the file
}

// filterTest is what became of one test.
type filterTest struct {
	Name    string         `json:"name"`
	Origin  string         `json:"origin"` // in the file of tests
	Passed  bool           `json:"passed"`
	Packets []filterPacket `json:"packets"` // up to the one that did not fare as wanted
}

// filterPacket is what became of one packet.
type filterPacket struct {
	Origin   string         `json:"origin"`           // in the file of tests
	Packet   string         `json:"packet,omitempty"` // absent if it could not be made
	In       string         `json:"in"`
	Out      string         `json:"out,omitempty"`
	Verdict  string         `json:"verdict"`
	State    string         `json:"state,omitempty"` // absent if the filter did not look at it
	Rules    []filterRule   `json:"rules"`           // that dropped it, or all that accepted it, or let its session begin
	Summary  string         `json:"summary"`
	Unwanted string         `json:"unwanted,omitempty"` // in which way it is not as wanted; absent if it is
	Steps    []control.Step `json:"steps"`
}

// filterRule is a rule that decided about a packet.
type filterRule struct {
	ACL    string `json:"acl,omitempty"`  // absent for two zones without a policy
	Rule   string `json:"rule,omitempty"` // absent for the default action
	Action string `json:"action"`
	Origin string `json:"origin"`
}
