// The latest events as a log without duplicates, and as trees of causes.

import { numberOf } from './live.js';

const most = 2000; // events that are held
const before = 1000; // and so many of before the page began to listen

// begin is the cursor after which a log begins: some way before the newest event.
export function begin(hello) {
  const oldest = numberOf(hello.oldest) - 1;
  return `${hello.epoch}:${Math.max(oldest, numberOf(hello.cursor) - before, 0)}`;
}

export class Log {
  constructor() {
    this.entries = []; // the oldest first
    this.known = new Map(); // cursor -> entry
    this.seen = 0; // how many events came
    this.gaps = 0;
  }

  take(frame) {
    if (frame.type === 'gap') {
      const last = this.entries.at(-1);
      if (last?.gap && last.why === frame.why) {
        // Two without an event between them are one.
        last.lost = last.lost && frame.lost ? last.lost + frame.lost : undefined;
        return;
      }
      this.gaps++;
      this.add({ gap: true, cursor: `gap ${this.gaps}`, time: this.entries.at(-1)?.time ?? '', topic: 'gap', key: '', why: frame.why, lost: frame.lost });
    } else if (frame.type === 'event' && !this.known.has(frame.cursor)) {
      this.seen++;
      this.add(frame);
    }
  }

  add(entry) {
    this.entries.push(entry);
    this.known.set(entry.cursor, entry);
    // Cut in pieces, so that not each event moves all others.
    if (this.entries.length >= most + 200) {
      for (const e of this.entries.splice(0, this.entries.length - most)) this.known.delete(e.cursor);
    }
  }

  clear() {
    this.entries = [];
    this.known.clear();
  }
}

// trees are the events as trees of what follows from what: the newest root first,
// below it the oldest first. An event whose cause is not held is a root.
export function trees(entries) {
  const nodes = new Map(entries.map((e) => [e.cursor, { event: e, below: [] }]));
  const roots = [];
  for (const node of nodes.values()) {
    const above = node.event.cause && nodes.get(node.event.cause);
    if (above && above !== node) above.below.push(node);
    else roots.push(node);
  }
  return roots.reverse();
}

// words says in one line what an event is about, as routerd events does.
export function words(e) {
  if (e.gap) return `${e.lost === 1 ? '1 event is' : `${e.lost ? e.lost.toLocaleString('en-US') : 'some'} events are`} not here: ${e.why}`;
  const parts = e.why ? [e.why] : [];
  const w = e.item ?? {};
  if (w.header) parts.push(`${w.header}: ${w.sentence}`);
  else if (w.message) {
    parts.push(w.message);
    for (const [key, value] of Object.entries(w.attributes ?? {}).sort()) if (key !== 'router') parts.push(`${key} ${value}`);
  } else if (w.routes?.length) parts.push(routes(w.routes));
  else if (w.limit) parts.push(`${w.limit}, ${w.refused} flows`);
  else if (w.changes?.length) parts.push(...w.changes.map((c) => `${c.kind} ${c.path}`));
  else if (w.action && w.result !== undefined) parts.push(w.action, w.result);
  else if (w.mac) parts.push(`${w.state} at ${w.mac}`);
  else if (w.state && !(e.why ?? '').endsWith(w.state)) parts.push(w.state);
  return parts.join(', ');
}

// wayFields are the fields of a route that hops tells of.
export const wayFields = ['next_hops', 'action', 'interface'];

// hops are a route's next hops in words: 10.0.1.2 on lan0.
export function hops(route) {
  const list = (route.next_hops ?? []).map((h) => {
    const on = h.interface || h.resolved?.[0]?.interface;
    const address = h.address ?? 'on the link';
    return on && h.address ? `${address} on ${on}` : on ? `on ${on}` : address;
  });
  if (list.length) return list.join(', ');
  if (route.action && route.action !== 'forward') return route.action;
  return route.interface ? `on ${route.interface}` : '';
}

function routes(list) {
  const used = list.find((r) => r.installed);
  return used ? `${used.source} ${hops(used)}` : `not used: ${list[0].why_not ?? ''}`;
}
