// Traffic: the rates of interfaces, as charts and as a table.

import { html } from '../vendor/lit-html/lit-html.js';
import uPlot from '../vendor/uplot/uPlot.esm.js';
import { Order, table } from '../table.js';
import { bits, clock, rate } from '../format.js';
import { now } from '../api.js';

const points = 300; // of a chart, one a second: five minutes

// Series are what an interface did, the oldest first.
class Series {
  constructor(name) {
    this.name = name;
    this.data = [[], [], []]; // seconds, bits received, bits sent
    this.last = {};
  }

  add(at, x) {
    this.last = x;
    [at, x.rx_bps, x.tx_bps].forEach((v, i) => {
      this.data[i].push(v);
      while (this.data[i].length > points) this.data[i].shift(); // a gap has added one too
    });
  }

  // gap is a time of which nothing is known.
  gap(at) {
    if (this.data[0].length) [at, null, null].forEach((v, i) => this.data[i].push(v));
  }
}

const held = new Map(); // name -> Series; it outlives the view
let left = 0; // when the view was closed

function color(name) {
  const probe = document.createElement('span');
  probe.className = `color-${name}`;
  probe.hidden = true;
  document.body.append(probe);
  const c = getComputedStyle(probe).color;
  probe.remove();
  return c;
}

// shownTime is what a chart shows: the last minute, and up to five once there is so much.
function shownTime(series) {
  const end = now() / 1000;
  return [Math.max(end - points, Math.min(series.data[0][0] ?? end, end - 60)), end];
}

function chart(node, series) {
  const [text, line, rx, tx] = ['soft', 'line', 'rx', 'tx'].map(color);
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '12px system-ui, sans-serif' };
  return new uPlot({
    width: Math.max(node.clientWidth, 200), height: 150, legend: { show: false }, cursor: { y: false },
    scales: { x: { range: () => shownTime(series) }, y: { range: (u, low, high) => [0, Math.max(high ?? 0, 1000) * 1.1] } },
    axes: [{ ...axis, values: (u, list) => list.map((t) => clock(t * 1000).slice(0, t % 60 ? 8 : 5)), incrs: [10, 30, 60], space: 50, size: 30 }, { ...axis, size: 84, values: (u, list) => list.map(bits) }],
    series: [{}, { label: 'received', stroke: rx, width: 1.5, spanGaps: false, points: { show: false } }, { label: 'sent', stroke: tx, width: 1.5, dash: [5, 3], spanGaps: false, points: { show: false } }],
  }, series.data, node);
}

function open(page) {
  const charts = new Map(); // name -> uPlot
  const order = new Order(page.update);
  if (left) for (const s of held.values()) s.gap(now() / 1000);
  const subscription = page.live.subscribe({
    topics: ['traffic'],
    take(frame) {
      if (frame.type !== 'sample') return;
      const at = now() / 1000;
      for (const item of frame.items) {
        if (!held.has(item.interface)) held.set(item.interface, new Series(item.interface));
        held.get(item.interface).add(at, item);
      }
      for (const name of held.keys()) if (!frame.items.some((i) => i.interface === name)) held.delete(name);
      page.update();
      requestAnimationFrame(paint);
    },
  });
  function drop() {
    for (const c of charts.values()) c.destroy();
    charts.clear();
  }
  // paint draws the charts of the figures that are there.
  function paint() {
    for (const [name, c] of charts) {
      if (!held.has(name) || !c.root.isConnected) {
        c.destroy();
        charts.delete(name);
      }
    }
    for (const node of document.querySelectorAll('#view-traffic .chart')) {
      const s = held.get(node.dataset.interface);
      if (!s) continue;
      if (!charts.has(s.name)) charts.set(s.name, chart(node, s));
      else charts.get(s.name).setData(s.data);
    }
  }
  function resize() {
    for (const c of charts.values()) c.setSize({ width: Math.max(c.root.parentElement?.clientWidth ?? 0, 200), height: 150 });
  }
  const restyle = () => {
    drop();
    paint();
  };
  addEventListener('resize', resize);
  addEventListener('themechange', restyle);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', restyle);

  const of = (field, words) => ({ kind: 'number', field, value: (s) => s.last[field], text: (v) => words(v), sort: (s) => s.last[field] ?? 0 });
  const columns = [
    { head: 'Interface', kind: 'address', field: 'interface', value: (s) => s.name },
    { head: 'State', kind: 'state', value: (s) => page.store.objects('interface').get(s.name)?.item.state, at: (s) => ['interfaces', { name: s.name }, 'state'], of: 'interface' },
    { head: 'Received', ...of('rx_bps', bits) }, { head: 'Sent', ...of('tx_bps', bits) },
    { head: 'Packets in', ...of('rx_pps', rate) }, { head: 'Packets out', ...of('tx_pps', rate) },
    { head: 'Drops', ...of('drops_ps', rate) },
  ];
  return {
    draw() {
      const list = [...held.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
      if (!list.length) return html`<p class="none">The first figures come within two seconds.</p>`;
      return html`<section aria-labelledby="rates"><h2 id="rates">Now</h2>
        ${table({ name: 'Rates of interfaces', of: 'traffic', at: (s) => ['interfaces', { interface: s.name }], columns, rows: list, key: (s) => s.name, order })}</section>
      <section aria-labelledby="minutes"><h2 id="minutes">The last five minutes <span class="legend"><span class="color-rx">received</span> <span class="color-tx">sent (dashed)</span></span></h2>
        <div class="charts">${list.map((s) => html`<figure><figcaption>${s.name}</figcaption><div class="chart" role="img" aria-label=${`${s.name}: ${bits(s.last.rx_bps)} received and ${bits(s.last.tx_bps)} sent`} data-interface=${s.name}></div></figure>`)}</div></section>`;
    },
    asks: () => [{ words: 'show traffic', path: '/v1/traffic' }, { words: 'show interface', path: '/v1/interface' }],
    close() {
      left = Date.now();
      subscription.close();
      removeEventListener('resize', resize);
      removeEventListener('themechange', restyle);
      dark.removeEventListener('change', restyle);
      drop();
    },
  };
}

export default { name: 'traffic', title: 'Traffic', key: 't', open };
