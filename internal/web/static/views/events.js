// Events: what happens, with what follows from what as trees that fold.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { figure } from '../figure.js';
import { fields, finder } from '../table.js';
import { clock, count, place } from '../format.js';
import { begin, Log, trees, words } from '../log.js';

const step = 200; // rows that are shown, and more at a press of the button

// What the page holds outlives the view, so that it goes on where it was.
const log = new Log();
let cursor = null;
let owner = null;

function open(page) {
  if (owner !== page.who.name) {
    // Another role may see other topics.
    log.clear();
    [owner, cursor] = [page.who.name, null];
  }
  let filter = page.parameters.get('filter') ?? '';
  const hidden = new Set();
  const unfolded = new Set();
  const detailed = new Set();
  let paused = null; // the entries as they were, while it is paused
  let shown = step;
  let roots = [];
  let drawn = '';
  const subscription = page.live.subscribe({
    from: (hello) => cursor ?? begin(hello),
    take(frame) {
      if (frame.type === 'error') page.say(frame.error);
      log.take(frame);
      if (!paused) page.update();
    },
  });

  function choose() {
    const entries = paused ?? log.entries;
    const last = entries.at(-1);
    const state = `${entries.length} ${last?.cursor} ${filter} ${[...hidden]}`;
    if (state === drawn) return;
    drawn = state;
    const wanted = filter.toLowerCase().split(/\s+/).filter(Boolean);
    roots = trees(entries).filter((n) => keep(n, wanted));
  }
  // keep marks the nodes that are chosen, and those that lead to them.
  function keep(node, wanted) {
    const e = node.event;
    let text = '';
    if (wanted.length) text = `${e.topic} ${e.key} ${e.action} ${words(e)} ${e.origin ?? ''}`.toLowerCase();
    node.chosen = !hidden.has(e.topic) && wanted.every((w) => text.includes(w));
    node.kept = node.below.filter((c) => keep(c, wanted));
    node.count = node.kept.reduce((n, c) => n + 1 + c.count, 0);
    return node.chosen || node.kept.length > 0;
  }
  function toggle(set, key) {
    if (!set.delete(key)) set.add(key);
    page.update();
  }
  function row(node, depth) {
    const e = node.event;
    const isOpen = unfolded.has(e.cursor);
    const about = detailed.has(e.cursor);
    const f = (name, shown) => (e.gap ? shown ?? e[name] : figure('events', [{ cursor: e.cursor }, name], e[name], shown));
    return html`<li class="event ${e.topic} ${node.chosen ? '' : 'dim'}" data-cursor=${e.cursor}>
      <div class="line">
        ${node.kept.length ? html`<button type="button" class="fold" aria-expanded=${isOpen ? 'true' : 'false'} aria-label=${`What follows from ${e.topic} ${e.key}`} @click=${() => toggle(unfolded, e.cursor)}></button>` : html`<span class="nofold"></span>`}
        <time datetime=${e.time}>${f('time', clock(e.time))}</time>
        <span class="topic">${f('topic')}</span>
        <span class="what">${e.gap ? nothing : html`<button type="button" class="plain" aria-expanded=${about ? 'true' : 'false'} @click=${() => toggle(detailed, e.cursor)}><b>${e.key ? f('key') : e.topic}</b>${e.action && e.item?.message === undefined ? html` ${f('action')}` : nothing}</button>`} <span class="words">${words(e)}</span>${node.kept.length && !isOpen ? html` <span class="follows">and ${count(node.count)} that ${node.count === 1 ? 'follows' : 'follow'}</span>` : nothing}</span>
        ${e.origin ? html`<a class="origin" href=${page.link('config', { at: e.origin })} title=${e.origin}>${f('origin', place(e.origin))}</a>` : nothing}
      </div>
      ${about ? html`<div class="about">${fields({ cursor: e.cursor, cause: e.cause, why: e.why }, 'events', [{ cursor: e.cursor }])}${fields(e.item ?? {}, 'events', [{ cursor: e.cursor }, 'item'])}</div>` : nothing}
      ${isOpen && node.kept.length && depth < 32 ? html`<ul>${repeat(node.kept, (c) => c.event.cursor, (c) => row(c, depth + 1))}</ul>` : nothing}
    </li>`;
  }

  const topics = () => (page.live.hello?.topics ?? []).filter((t) => t !== 'traffic');
  return {
    draw() {
      choose();
      const total = (paused ?? log.entries).length;
      return html`
        <div class="topics" role="group" aria-label="Topics">${topics().map((t) => html`<button type="button" aria-pressed=${hidden.has(t) ? 'false' : 'true'} @click=${() => toggle(hidden, t)}>${t}</button>`)}</div>
        ${roots.length ? html`<ul class="events" aria-label="Events, the newest first">${repeat(roots.slice(0, shown), (n) => n.event.cursor, (n) => row(n, 0))}</ul>` : html`<p class="none">${total ? 'No event matches.' : 'Nothing has happened yet.'}</p>`}
        ${roots.length > shown ? html`<button type="button" @click=${() => { shown += step; page.update(); }}>Show more of ${count(roots.length)}</button>` : nothing}`;
    },
    tools: () => html`${finder(filter, (text) => {
      filter = text;
      page.update();
    })}<button type="button" id="pause" aria-pressed=${paused ? 'true' : 'false'} @click=${() => {
      paused = paused ? null : [...log.entries];
      page.update();
    }}>${paused ? 'Go on' : 'Pause'}</button><span class="tallies">${paused && log.entries.at(-1) !== paused.at(-1) ? 'more has happened' : nothing}</span>`,
    asks: () => [{ words: 'events', path: '/v1/events' }],
    log,
    close() {
      cursor = subscription.cursor;
      subscription.close();
    },
  };
}

export default { name: 'events', title: 'Events', key: 'e', open };
