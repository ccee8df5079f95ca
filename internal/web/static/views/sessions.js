// Sessions: the neighbours of each protocol, live.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { badge, fields, finder, Order, table, tone } from '../table.js';
import { count, duration, plain, since } from '../format.js';
import { nounOf } from '../store.js';

const REFRESH = 2000; // of figures that change without events

const address = { head: 'Neighbor', kind: 'address', field: 'address', value: (r) => r.item.address };
const iface = { head: 'Interface', kind: 'address', field: 'interface', value: (r) => r.item.interface };
const state = { head: 'State', kind: 'state', field: 'state', value: (r) => r.item.state };
const age = { head: 'Since', kind: 'number', field: 'since', value: (r) => r.item.since, text: (v) => since(v), sort: (r) => -Date.parse(r.item.since) };
const words = (head, field) => ({ head, field, value: (r) => r.item[field] });
const mono = (head, field) => ({ head, kind: 'address', field, value: (r) => r.item[field] });
const number = (head, field) => ({ head, kind: 'number', field, value: (r) => r.item[field] });

// The columns of each topic; a protocol that is not among them has the general ones.
const columns = {
  ospf: [address, iface, state, age, mono('Router ID', 'router_id'), mono('Area', 'area'), words('Role', 'role'), number('Changes', 'state_changes'), number('Unacknowledged', 'unacknowledged'),
    { head: 'Dead in', kind: 'number', field: 'dead_in', value: (r) => r.item.dead_in, text: (v) => duration(v) }],
  bgp: [address, { head: 'AS', kind: 'number', field: 'as', value: (r) => r.item.as, text: (v) => (v ? String(v) : '') }, state, age, number('Accepted', 'accepted'), number('Sent', 'sent'), words('Description', 'description'), words('Remark', 'remark')],
  bfd: [{ ...address, field: 'peer', value: (r) => r.item.peer }, iface, state, age, words('For', 'clients'),
    { head: 'Detection', kind: 'number', field: 'detection', value: (r) => r.item.detection, text: (v) => (v === undefined ? '' : `${Math.round(v * 1000)} ms`) },
    number('Received', 'received'), number('Sent', 'sent'), number('Downs', 'downs'), words('Diagnostic', 'diagnostic')],
  neighbor: [address, iface, mono('MAC', 'mac'), state, { head: 'Age', kind: 'number', field: 'age', value: (r) => r.item.age, text: (v) => duration(v) }, number('Held', 'held'), words('Router', 'router')],
  rip: [address, iface, age, number('Routes', 'routes'), number('Packets', 'packets'), number('Bad packets', 'bad_packets'), { head: 'Heard', kind: 'number', field: 'age', value: (r) => r.item.age, text: (v) => (v === undefined ? '' : `${duration(v)} ago`) }],
};
columns.ripng = columns.rip;
const general = [address, iface, state, age];

// at is the way to a neighbor's row in the answer of its noun.
const at = (r) => [nounOf[r.topic].rows, Object.fromEntries(['address', 'peer', 'interface'].filter((f) => r.item[f] !== undefined).map((f) => [f, r.item[f]]))];

function summary(rows) {
  const states = new Map();
  for (const r of rows) if (r.item.state) states.set(r.item.state, (states.get(r.item.state) ?? 0) + 1);
  if (!states.size) return count(rows.length);
  return [...states].sort().map(([s, n]) => html`<span class="tally">${badge(s)} ${count(n)}</span>`);
}

function open(page) {
  let filter = page.parameters.get('filter') ?? '';
  const unfolded = new Map(); // topic -> Set of keys: several may have a neighbor of one key
  const orders = new Map();
  const stop = new AbortController();
  // Stations on links, of which there may be many, come behind the protocols.
  const last = (t) => (t === 'neighbor' ? 1 : 0);
  const topics = () => [...page.store.topics.keys()].filter((t) => t !== 'interface' && page.store.objects(t).size).sort((a, b) => last(a) - last(b));
  let timer;
  async function refresh() {
    if (document.visibilityState === 'visible' && page.live.state !== 'reconnecting') {
      await Promise.all(topics().filter((t) => nounOf[t]).map((t) => page.store.refresh(t, stop.signal))).catch((err) => page.fail(err));
    }
    if (!stop.signal.aborted) timer = setTimeout(refresh, REFRESH);
  }
  refresh();

  function one(topic) {
    const rows = page.store.items(topic);
    const { title } = nounOf[topic];
    const cols = (columns[topic] ?? general).filter((c) => rows.some((r) => plain(c.value(r)) !== ''));
    if (!orders.has(topic)) orders.set(topic, new Order(page.update));
    if (!unfolded.has(topic)) unfolded.set(topic, new Set());
    return html`<section aria-labelledby=${`t-${topic}`} data-topic=${topic}>
      <h2 id=${`t-${topic}`}>${title} <span class="tallies">${summary(rows)}</span></h2>
      ${table({
        name: title, of: nounOf[topic].path, at, columns: cols, rows, key: (r) => r.key, order: orders.get(topic), filter,
        open: unfolded.get(topic), toggle: (key) => toggle(unfolded.get(topic), key), detail: (r) => fields(r.item, nounOf[topic].path, at(r)), marked: (r) => fresh(r),
      })}</section>`;
  }
  function toggle(open, key) {
    if (!open.delete(key)) open.add(key);
    page.update();
  }
  // A row that an event has just changed is marked for a moment.
  const fresh = (r) => r.cursor && performance.now() - r.at < 1500 && tone(r.item.state) !== 'quiet';

  return {
    draw() {
      const list = topics();
      if (list.length) return list.map(one);
      return html`<p class="none">${page.live.state === 'live' ? 'The router has no neighbors yet: no protocol has heard of any, and no station was asked for.' : nothing}</p>`;
    },
    tools: () => finder(filter, (text) => {
      filter = text;
      page.update();
    }),
    asks: () => topics().filter((t) => nounOf[t]).map((t) => ({ words: `show ${t === 'neighbor' ? 'arp' : nounOf[t].path.replaceAll('/', ' ')}`, path: `/v1/${nounOf[t].path}` })),
    close() {
      stop.abort();
      clearTimeout(timer);
    },
  };
}

export default { name: 'sessions', title: 'Sessions', key: 's', open };
