// Drops: packets that went no further: how many for which reason, and the latest as
// they are dropped; each can be explained.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask, url } from '../api.js';
import { finder, Order, table } from '../table.js';
import { clock, count } from '../format.js';

const REFRESH = 2000; // of the counters
const most = 500; // packets that are held

// packetOf reads from the words about a packet what explain packet asks for; null if
// it is none that can be explained.
export function packetOf(drop) {
  const m = /^IPv[46] (\S+) > (\S+) (TCP|UDP|ICMP|ICMPv6)\b/.exec(drop.header ?? '');
  if (!m || !drop.interface) return null;
  const [, from, to, protocol] = m;
  const q = { what: 'packet', in: drop.interface, protocol: protocol.toLowerCase().replace('icmpv6', 'icmp') };
  [q.src, q.src_port] = endOf(from);
  [q.dst, q.dst_port] = endOf(to);
  const ttl = /(?:TTL|hop limit) (\d+)/.exec(drop.header);
  if (ttl) q.ttl = ttl[1];
  const least = (from.includes('[') || from.includes('::') ? 40 : 20) + (protocol === 'TCP' ? 20 : 8);
  if (drop.length >= least) q.size = drop.length;
  return q;
}

// endOf divides an address and a port.
function endOf(text) {
  const m = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  return m ? [m[1], m[2]] : [text, ''];
}

const counters = [
  { head: 'Packets', kind: 'number', field: 'packets' },
  { head: 'Verdict', kind: 'address', field: 'verdict' },
  { head: 'Meaning', field: 'sentence' },
];

const latest = (page) => [
  { head: 'Time', kind: 'address', field: 'time', text: (v) => clock(v) },
  { head: 'In', kind: 'address', field: 'interface', text: (v) => v || '(own)' },
  {
    head: 'Packet', kind: 'address', field: 'header',
    draw(header, r) {
      const q = packetOf(r);
      return q ? html`<a href=${page.link('explain', q)} aria-label=${`Explain ${header}`}>${header}</a>` : header;
    },
  },
  { head: 'Verdict', kind: 'address', field: 'verdict' },
];

function open(page) {
  let filter = page.parameters.get('filter') ?? '';
  let held = []; // the newest first
  let paused = null; // those that were held when it was paused
  let verdicts = null;
  let problem = '';
  let timer;
  let number = 0;
  const stop = new AbortController();
  const order = new Order(page.update, 'Packets', true);
  const columns = latest(page);
  const keyed = (drop) => ({ ...drop, key: `${++number}` });

  // fresh reports whether a packet is not held yet: the first answer and the events
  // may both have it.
  const fresh = (drop) => !held.some((d) => d.time === drop.time && d.header === drop.header);

  async function refresh() {
    if (document.visibilityState === 'visible') {
      try {
        const answer = await ask('drops', verdicts ? {} : { last: 100 }, { signal: stop.signal });
        if (!verdicts) {
          held = [...held, ...answer.last.filter(fresh).map(keyed)];
        }
        [verdicts, problem] = [answer.verdicts, ''];
      } catch (err) {
        if (err.name === 'AbortError') return;
        problem = err.message;
      }
      page.update();
    }
    if (!stop.signal.aborted) timer = setTimeout(refresh, REFRESH);
  }
  const subscription = page.live.subscribe({
    topics: ['drop'],
    take(frame) {
      if (frame.type !== 'event' || !frame.item || !fresh(frame.item)) return;
      held.unshift(keyed(frame.item));
      held.length = Math.min(held.length, most);
      page.update();
    },
  });
  refresh();

  function pause() {
    paused = paused ? null : [...held];
    page.update();
  }
  return {
    draw() {
      const seen = (verdicts ?? []).filter((v) => v.packets > 0);
      const rows = paused ?? held;
      const since = paused ? held.length && held[0] !== paused[0] : false;
      return html`${problem ? html`<p class="failed" role="alert">${problem}</p>` : nothing}
        <section aria-labelledby="drop-counts"><h2 id="drop-counts">For which reason</h2>
          ${verdicts ? table({ name: 'Dropped packets by reason', of: 'drops', at: (r) => ['verdicts', { verdict: r.verdict }], columns: counters, rows: seen, key: (r) => r.verdict, order, filter, none: 'No packet was dropped.' }) : html`<p class="none">Asking the router…</p>`}</section>
        <section aria-labelledby="drop-latest"><h2 id="drop-latest">The latest <span class="tallies">${paused ? (since ? 'paused; there are newer ones' : 'paused') : `${count(rows.length)}, a few of each batch`}</span></h2>
          ${table({ name: 'The latest dropped packets', of: `drops?last=${most}`, at: (r) => ['last', { time: r.time, header: r.header }], columns, rows, key: (r) => r.key, filter, none: 'No packet was dropped lately.' })}</section>`;
    },
    tools: () => html`${finder(filter, (text) => {
      filter = text;
      page.update();
    })}<button type="button" id="pause" aria-pressed=${paused ? 'true' : 'false'} @click=${pause}>${paused ? 'Go on' : 'Pause'}</button>`,
    asks: () => [{ words: 'show drops --last 100', path: url('drops', { last: 100 }) }, { words: 'events drop', path: '/v1/events?topic=drop' }],
    close() {
      stop.abort();
      clearTimeout(timer);
      subscription.close();
    },
  };
}

export default { name: 'drops', title: 'Drops', key: 'd', open };
