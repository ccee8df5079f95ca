// Holds the objects of topics as events and snapshots tell them.

import { ask } from './api.js';

// lists are topics without objects, or with too many of them to hold.
const lists = ['route', 'nat', 'acl', 'drop', 'config', 'audit', 'log', 'traffic'];

// nounOf is which noun shows the objects of a topic, with the figures that change
// without an event; rows is the field of its answer.
export const nounOf = {
  interface: { path: 'interface', rows: 'interfaces', title: 'Interfaces' },
  neighbor: { path: 'neighbor', rows: 'neighbors', title: 'Neighbors (ARP and ND)' },
  bfd: { path: 'bfd', rows: 'sessions', title: 'BFD' },
  bgp: { path: 'bgp/neighbor', rows: 'neighbors', title: 'BGP' },
  ospf: { path: 'ospf/neighbor', rows: 'neighbors', title: 'OSPF' },
  rip: { path: 'rip/neighbor', rows: 'neighbors', title: 'RIP' },
  ripng: { path: 'ripng/neighbor', rows: 'neighbors', title: 'RIPng' },
};

// keyOf is the key that events have for an object.
export function keyOf(topic, item) {
  if (topic === 'interface') return item.name;
  const address = (item.peer || item.address || '').replace(/%.*$/, '');
  return item.interface ? `${address} on ${item.interface}` : address;
}

// Store holds the objects of all topics that have some, but routes.
export class Store {
  constructor(live, changed) {
    this.live = live;
    this.changed = changed;
    this.topics = new Map(); // name -> Map of key -> {item, at, by}
    this.pending = new Map(); // name -> {stamp, items} of a snapshot that is coming
    this.subscription = null;
    this.changes = 0; // how many frames were taken
  }

  // follow subscribes to the topics that the router has.
  follow(names) {
    const topics = names.filter((n) => !lists.includes(n));
    if (this.subscription && String(topics) === String(this.subscription.topics)) return;
    this.subscription?.close();
    this.subscription = this.live.subscribe({ topics, snapshot: true, take: (frame) => this.take(frame) });
  }

  // objects are the objects of a topic, by key.
  objects(topic) {
    return this.topics.get(topic) ?? new Map();
  }

  // items are the objects of a topic as a list, in the order of the router.
  items(topic) {
    return [...this.objects(topic).entries()].map(([key, held]) => ({ key, topic, ...held }));
  }

  take(frame) {
    if (frame.type === 'snapshot') this.takePage(frame);
    else if (frame.type === 'event') this.takeEvent(frame);
    else if (frame.type === 'error') setTimeout(() => this.subscription?.restart(), 2000);
    this.changes++;
    this.changed();
  }

  takePage({ topic, cursor, keys, items, more }) {
    let page = this.pending.get(topic);
    if (page?.stamp !== cursor) {
      page = { stamp: cursor, items: new Map() }; // the walk began again
      this.pending.set(topic, page);
    }
    const at = performance.now();
    keys.forEach((key, i) => page.items.set(key, { item: items[i], at }));
    if (more) return;
    this.pending.delete(topic);
    this.topics.set(topic, page.items);
  }

  takeEvent({ topic, key, action, item, time, cursor }) {
    const objects = this.topics.get(topic) ?? new Map();
    this.topics.set(topic, objects);
    if (action === 'removed') objects.delete(key);
    else if (item) objects.set(key, { item, at: performance.now(), time, cursor });
    else this.subscription?.restart(); // too long for an event
  }

  // refresh asks for a topic's objects, for the sake of figures that have no events.
  // What an event said after the question was sent is newer than the answer.
  async refresh(topic, signal) {
    const noun = nounOf[topic];
    const asked = performance.now();
    const answer = await ask(noun.path, {}, { signal });
    const objects = this.topics.get(topic);
    if (!objects) return;
    for (const item of answer[noun.rows] ?? []) {
      const held = objects.get(keyOf(topic, item));
      if (held && held.at <= asked) held.item = item;
    }
    this.changed();
  }
}
