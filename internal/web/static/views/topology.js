// Topology: the network around the router as a drawing, which the router makes, and as
// a table of its links.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask, svg } from '../api.js';
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

  const name = (id) => map.nodes.find((n) => n.id === id)?.name ?? id;
  const sessions = (l) => (map.nodes.find((n) => n.id === l.to)?.sessions ?? []).filter((s) => !l.interface || !s.interface || s.interface === l.interface);
  const columns = [
    { head: 'From', kind: 'address', value: (l) => name(l.from) },
    { head: 'Interface', kind: 'address', value: (l) => l.interface },
    { head: 'To', kind: 'address', value: (l) => name(l.to) },
    { head: 'State', kind: 'state', value: (l) => l.state || l.health },
    { head: 'Protocols', value: (l) => sessions(l).map((s) => `${s.protocol} ${s.state || s.health}`).join(', ') },
    { head: 'AS', kind: 'number', value: (l) => map.nodes.find((n) => n.id === l.to)?.as, text: (v) => (v ? String(v) : '') },
    { head: 'Cost', kind: 'number', value: (l) => l.cost_from, text: (v, l) => (v === undefined && l.cost_to === undefined ? '' : `${v ?? '-'}/${l.cost_to ?? '-'}`) },
    { head: 'Received', kind: 'number', value: (l) => l.rates?.rx_bps, text: (v) => (v === undefined ? '' : bits(v)) },
    { head: 'Sent', kind: 'number', value: (l) => l.rates?.tx_bps, text: (v) => (v === undefined ? '' : bits(v)) },
    { head: 'Note', value: (l) => l.why },
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
        ${map.left_out ? html`<p class="hint">${count(map.left_out)} nodes had no room.</p>` : nothing}
        ${map.links_left_out ? html`<p class="hint">${count(map.links_left_out)} links had no room.</p>` : nothing}
        <section><h2>Links</h2>${table({ name: 'Links', columns, rows: map.links, key: (l) => l.id, order, none: 'The router has no links.' })}</section>`;
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
