package control

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"routerd/dataplane"
	"routerd/internal/protocols"
	"routerd/internal/protocols/running"
	"routerd/internal/show"
	"routerd/internal/verdict"
	"routerd/routing"
	"routerd/routing/rib"
)

// scrapeTimeout is how long the router has to read its counters.
const scrapeTimeout = 5 * time.Second

// Collector reads a Router at every scrape and turns the Snapshot into
// metrics. No metric is labelled by prefix or flow: their number depends on
// the configuration alone, not on the traffic.
type Collector struct {
	router    Router
	events    *Events // nil where there are none
	protocols []protocols.Protocol
	families  map[*running.Family]*prometheus.Desc
}

// NewCollector makes the collector of a router, and of its events unless they are
// nil.
func NewCollector(r Router, e *Events) *Collector {
	c := &Collector{router: r, events: e, protocols: protocols.All(), families: map[*running.Family]*prometheus.Desc{}}
	for _, p := range c.protocols {
		for _, f := range p.Metrics.Families {
			c.families[f] = describe(f.Name, f.Help, f.Labels...)
		}
	}
	return c
}

// metricsHandler serves the metrics of the router, of the requests to its API, the
// process and the Go runtime from a registry of its own.
func metricsHandler(r Router, e *Events, asked *requests) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		NewCollector(r, e), asked.count, asked.seconds,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	gathering := make(chan struct{}, maxGathering)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		select {
		case gathering <- struct{}{}:
		case <-req.Context().Done():
			return
		}
		text := page{header: w.Header()}
		h.ServeHTTP(&text, req)
		<-gathering
		// Written once everything is read, so that a slow client does not hold
		// up others.
		if text.status != 0 {
			w.WriteHeader(text.status)
		}
		w.Write(text.body.Bytes())
	})
}

// maxGathering is how many scrapes read the router at once.
const maxGathering = 4

// page buffers a complete answer before it is sent.
type page struct {
	header http.Header
	status int // 0 = 200
	body   bytes.Buffer
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("routerd_"+name, help, labels, nil)
}

// The metrics. Names and labels are a contract, as the JSON is.
var (
	descPackets = describe("packets_total", "Packets by their verdict, by the interface that they came in by and the worker that carried them.", "interface", "worker", "verdict")
	descAnswers = describe("icmp_errors_total", "ICMP errors that dropped packets called for, by what became of them.", "result")
	descBatches = describe("worker_batches_total", "Batches of packets that a worker has processed.", "interface", "worker")

	descUp             = describe("interface_up", "Whether the interface is up: 1 or 0.", "interface")
	descMTU            = describe("interface_mtu_bytes", "Longest IP packet that the interface carries.", "interface")
	descReceivePackets = describe("interface_receive_packets_total", "Packets read from the interface's port, those that super-packets carry one by one.", "interface")
	descReceiveBytes   = describe("interface_receive_bytes_total", "Bytes of the packets read from the interface's port.", "interface")
	descReceiveSupers  = describe("interface_receive_super_packets_total", "Super-packets read from the interface's port: several segments of one flow in one.", "interface")
	descSendPackets    = describe("interface_transmit_packets_total", "Packets written to the interface's port, those that super-packets carry one by one.", "interface")
	descSendBytes      = describe("interface_transmit_bytes_total", "Bytes of the packets written to the interface's port.", "interface")
	descSendSupers     = describe("interface_transmit_super_packets_total", "Super-packets written to the interface's port.", "interface")

	descNeighbors      = describe("neighbors", "Stations on the interface's link, by the state of what is known of them.", "interface", "state")
	descNeighborEvents = describe("neighbor_events_total", "What neighbour resolution has met, by kind.", "event")

	descFIB        = describe("fib_entries", "Entries of the forwarding table.", "family")
	descRIB        = describe("rib_prefixes", "Prefixes that a route is offered for.", "family")
	descRoutes     = describe("rib_routes", "Routes that are offered, used or not.", "source", "family")
	descFlushes    = describe("rib_flushes_total", "How often the routing table has been decided anew after something changed.")
	descChanges    = describe("rib_changes_total", "Entries of the forwarding table that the routing table has changed.")
	descGeneration = describe("view_generation", "How often the tables that packets are forwarded by have been published.")
	descReloads    = describe("reloads_total", "Reloads of the configuration, by how they ended.", "result")
	descReloaded   = describe("config_last_reload_success_timestamp_seconds", "When the configuration that runs was applied, by the start or a reload, in seconds since 1970.")
	descDiffers    = describe("config_differs", "Whether the configuration file says something else than what runs, or cannot be applied: 1 or 0. Absent where it is no regular file.")
	descHops       = describe("rib_next_hops", "Next hops that routes lead by, those that routes share counting once, by whether they may be used.", "usable")
	descSteps      = describe("owner_step_seconds", "Time of each step of the goroutine that owns the tables. No other change of the router and no answer to a question comes in between.")
	descStart      = describe("start_time_seconds", "When the router was started, in seconds since 1970.")
	descBuild      = describe("build_info", "What the binary was made of; always 1.", "version", "goversion", "revision")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descPackets, descAnswers, descBatches, descUp, descMTU,
		descReceivePackets, descReceiveBytes, descReceiveSupers,
		descSendPackets, descSendBytes, descSendSupers,
		descNeighbors, descNeighborEvents,
		descNATSessions, descNATMost, descNATHosts, descNATHostMost, descNATMade, descNATRefused, descNATEvicted,
		descNATRuleSessions, descNATRuleMade, descNATRuleRefused,
		descNATPoolSize, descNATPoolPorts, descNATPoolUsed, descNATPoolMappings, descNATPoolRefused,
		descACLSessions, descACLPackets, descACLBytes, descACLLimited, descACLFlows, descACLHalfOpen, descACLUncounted,
		descFlows, descFlowsMost, descFlowsMade, descFlowsEnded, descFlowsRefused, descFlowsLost, descCarries, descCarriedPackets, descCarriedBytes,
		descFIB, descRIB, descRoutes, descFlushes, descChanges, descGeneration, descReloads, descReloaded, descDiffers, descHops, descSteps, descStart, descBuild,
		descVerdict, descCertificate, descEvents, descEventClients, descEventsLost, descEventPutOut,
	} {
		ch <- d
	}
	for _, d := range c.families {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := c.router.Metrics(ctx)
	var own []sample
	if err == nil {
		own, err = c.readProtocols(ctx)
	}
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descGeneration, err)
		return
	}
	to := sink{ch}
	to.workers(s.Workers)
	to.interfaces(s.Interfaces)
	to.neighbors(&s)
	for _, o := range own {
		ch <- prometheus.MustNewConstMetric(c.families[o.family], o.kind(), o.value, o.labels...)
	}
	to.nat(s.NAT)
	to.acl(s.ACL)
	to.flows(s.Flows)
	to.gauge(descFIB, float64(s.FIB4), "ipv4")
	to.gauge(descFIB, float64(s.FIB6), "ipv6")
	to.gauge(descRIB, float64(s.RIB4), "ipv4")
	to.gauge(descRIB, float64(s.RIB6), "ipv6")
	to.routes(&s.RIB)
	to.gauge(descGeneration, float64(s.Generation))
	to.count(descReloads, s.ReloadsOK, "ok")
	to.count(descReloads, s.ReloadsFailed, "failed")
	to.gauge(descReloaded, float64(s.Applied.UnixMilli())/1000)
	if s.Differs != nil {
		to.gauge(descDiffers, oneIf(*s.Differs))
	}
	to.gauge(descHops, float64(s.Hops-s.UnusableHops), "true")
	to.gauge(descHops, float64(s.UnusableHops), "false")
	to.steps(&s.Steps)
	to.verdicts()
	to.events(c.events)
	if !s.CertificateEnds.IsZero() {
		to.gauge(descCertificate, float64(s.CertificateEnds.Unix()))
	}
	to.gauge(descStart, float64(s.Version.Started.UnixMilli())/1000)
	to.gauge(descBuild, 1, s.Version.Version, s.Version.GoVersion, s.Version.Revision)
}

// steps writes the histogram of the owner's steps.
func (to sink) steps(x *StepSnapshot) {
	buckets := map[float64]uint64{}
	for i, n := range x.UpTo {
		buckets[StepBounds[i]] = n
	}
	to.ch <- prometheus.MustNewConstHistogram(descSteps, x.Steps, x.Seconds, buckets)
}

// sample is one value of a protocol's metric.
type sample struct {
	family *running.Family
	value  float64
	labels []string
}

func (s *sample) kind() prometheus.ValueType {
	if s.family.Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// readProtocols reads the counters of the configured protocols.
func (c *Collector) readProtocols(ctx context.Context) (list []sample, err error) {
	for i := range c.protocols {
		p := &c.protocols[i]
		core, err := c.router.Protocol(ctx, p.Name)
		var missing *show.Error
		if errors.As(err, &missing) && missing.Status == http.StatusNotFound {
			continue
		}
		if err == nil {
			err = p.Metrics.Read(ctx, core, func(f *running.Family, value float64, labels ...string) {
				list = append(list, sample{f, value, labels})
			})
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// sink is where metrics go.
type sink struct{ ch chan<- prometheus.Metric }

func (to sink) count(d *prometheus.Desc, n uint64, labels ...string) {
	to.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (to sink) gauge(d *prometheus.Desc, x float64, labels ...string) {
	to.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x, labels...)
}

// workers emits every verdict of every worker, also those that never occurred:
// a rate misses the first increment of a series that begins with it.
func (to sink) workers(list []WorkerSnapshot) {
	var answers [dataplane.NumAnswers]uint64
	for i := range list {
		w := &list[i]
		queue := strconv.Itoa(w.Queue)
		for v := range verdict.All {
			to.count(descPackets, w.Verdicts[v], w.Interface, queue, v.Label())
		}
		to.count(descBatches, w.Batches, w.Interface, queue)
		for a, n := range w.Answers {
			answers[a] += n
		}
	}
	for a, n := range answers {
		to.count(descAnswers, n, dataplane.Answer(a).String())
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (to sink) interfaces(list []InterfaceSnapshot) {
	for i := range list {
		f := &list[i]
		to.gauge(descUp, oneIf(f.Up), f.Name)
		to.gauge(descMTU, float64(f.MTU), f.Name)
		to.count(descReceivePackets, f.Received.Packets, f.Name)
		to.count(descReceiveBytes, f.Received.Bytes, f.Name)
		to.count(descReceiveSupers, f.Received.Supers, f.Name)
		to.count(descSendPackets, f.Sent.Packets, f.Name)
		to.count(descSendBytes, f.Sent.Bytes, f.Name)
		to.count(descSendSupers, f.Sent.Supers, f.Name)
		to.carries(f)
	}
}

func (to sink) routes(s *rib.Stats) {
	for source := routing.SourceConnected; int(source) < routing.NumSources; source++ {
		to.gauge(descRoutes, float64(s.Routes[source][0]), source.String(), "ipv4")
		to.gauge(descRoutes, float64(s.Routes[source][1]), source.String(), "ipv6")
	}
	to.count(descFlushes, s.Flushes)
	to.count(descChanges, s.Changes)
}

func (to sink) neighbors(s *Snapshot) {
	for _, n := range s.Neighbors {
		to.gauge(descNeighbors, float64(n.Count), n.Interface, n.State.String())
	}
	e := &s.NeighborEvents
	to.count(descNeighborEvents, e.Malformed, "malformed")
	to.count(descNeighborEvents, e.Ignored, "ignored")
	to.count(descNeighborEvents, e.Redirects, "redirect")
	to.count(descNeighborEvents, e.Conflicts, "conflict")
	to.count(descNeighborEvents, e.Evicted, "evicted")
	to.count(descNeighborEvents, e.Throttled, "throttled")
	to.count(descNeighborEvents, e.Full, "full")
	to.count(descNeighborEvents, e.Unanswered, "unanswered")
	to.count(descNeighborEvents, e.Lost, "lost")
}
