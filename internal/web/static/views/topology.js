// Topology: the network around the router as a drawing, which the router makes, and as
// a table of its links.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask, svg } from '../api.js';
import { figure } from '../figure.js';
import { Order, table } from '../table.js';
import { bits, count } from '../format.js';

const REFRESH = 2000; // of rates
const SOON = 150; // after an event; several come together

function open(page) {
  let map = null;
  let drawing = null;
  let wrong = '';
  let asking = false;
  let again = false;
  let timer;
  let changes = -1;
  const order = new Order(page.update);
  const stop = new AbortController();
  // The router measures rates while a client follows them.
  const rates = page.live.subscribe({ topics: ['traffic'], take() {} });

  async function load() {
    clearTimeout(timer);
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    changes = page.store.changes;
    try {
      [map, drawing] = await Promise.all([ask('topology', {}, { signal: stop.signal }), svg('/v1/topology.svg?bare=true')]);
      wrong = '';
    } catch (err) {
      if (err.status !== 0) wrong = err.name === 'AbortError' ? '' : err.message;
    }
    asking = false;
    if (stop.signal.aborted) return;
    page.update();
    timer = setTimeout(load, again ? SOON : REFRESH);
    again = false;
  }
  load();

  const node = (id) => map.nodes.find((n) => n.id === id);
  const name = (id) => node(id)?.name ?? id;
  const nodeAt = (id, field) => ['nodes', { id }, field];
  const sessions = (l) => (node(l.to)?.sessions ?? []).filter((s) => !l.interface || !s.interface || s.interface === l.interface);
  const at = (l) => ['links', { id: l.id }];
  const columns = [
    { head: 'From', kind: 'address', value: (l) => name(l.from), at: (l) => nodeAt(l.from, 'name') },
    { head: 'Interface', kind: 'address', field: 'interface' },
    { head: 'To', kind: 'address', value: (l) => name(l.to), at: (l) => nodeAt(l.to, 'name') },
    { head: 'State', kind: 'state', value: (l) => l.state || l.health, at: (l) => [...at(l), l.state ? 'state' : 'health'] },
    {
      head: 'Protocols', value: (l) => sessions(l).map((s) => `${s.protocol} ${s.state || s.health}`).join(', '),
      draw: (text, l) => sessions(l).map((s, i) => {
        const way = [...nodeAt(l.to, 'sessions'), node(l.to).sessions.indexOf(s)];
        return html`${i ? ', ' : nothing}${figure('topology', [...way, 'protocol'], s.protocol)} ${figure('topology', [...way, s.state ? 'state' : 'health'], s.state || s.health)}`;
      }),
    },
    { head: 'AS', kind: 'number', value: (l) => node(l.to)?.as, at: (l) => nodeAt(l.to, 'as'), text: (v) => (v ? String(v) : '') },
    { head: 'Cost', kind: 'number', field: ['cost_from', 'cost_to'], value: (l) => [l.cost_from, l.cost_to], text: ([a, b]) => (a === undefined && b === undefined ? '' : `${a ?? '-'}/${b ?? '-'}`), sort: (l) => l.cost_from },
    { head: 'Received', kind: 'number', value: (l) => l.rates?.rx_bps, at: (l) => [...at(l), 'rates', 'rx_bps'], text: (v) => (v === undefined ? '' : bits(v)) },
    { head: 'Sent', kind: 'number', value: (l) => l.rates?.tx_bps, at: (l) => [...at(l), 'rates', 'tx_bps'], text: (v) => (v === undefined ? '' : bits(v)) },
    { head: 'Note', field: 'why' },
  ];
  return {
    draw() {
      if (page.store.changes !== changes && !asking) {
        changes = page.store.changes;
        clearTimeout(timer);
        timer = setTimeout(load, SOON);
      }
      if (!map) return html`<p class="none">${wrong || 'Asking the router…'}</p>`;
      return html`${wrong ? html`<p class="failed" role="alert">${wrong}</p>` : nothing}
        <div class="map" tabindex="0" role="region" aria-label="Map">${drawing}</div>
        ${map.left_out ? html`<p class="hint">${figure('topology', ['left_out'], map.left_out, count(map.left_out))} nodes had no room.</p>` : nothing}
        ${map.links_left_out ? html`<p class="hint">${figure('topology', ['links_left_out'], map.links_left_out, count(map.links_left_out))} links had no room.</p>` : nothing}
        <section><h2>Links</h2>${table({ name: 'Links', of: 'topology', at, columns, rows: map.links, key: (l) => l.id, order, none: 'The router has no links.' })}</section>`;
    },
    asks: () => [{ words: 'show topology', path: '/v1/topology' }, { title: 'The drawing', path: '/v1/topology.svg' }],
    close() {
      stop.abort();
      clearTimeout(timer);
      rates.close();
    },
  };
}

export default { name: 'topology', title: 'Topology', key: 'm', open };
