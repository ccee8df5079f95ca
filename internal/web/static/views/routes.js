// Routes: the routing table, page by page; each row says why.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask, url } from '../api.js';
import { figure } from '../figure.js';
import { table } from '../table.js';
import { count, place, since } from '../format.js';
import { hops, wayFields } from '../log.js';
import { why } from '../why.js';

const size = 50; // prefixes of a page; as many as one subscription has keys for

const columns = [
  { head: 'Prefix', kind: 'address', field: 'prefix' },
  { head: 'Used', kind: 'state', field: ['installed', 'selected'], value: (r) => [r.installed, r.selected], text: ([installed, selected]) => (installed ? 'in use' : selected ? 'selected' : 'not used') },
  { head: 'Source', field: 'source' },
  { head: 'Distance', kind: 'number', field: 'distance' },
  { head: 'Metric', kind: 'number', field: 'metric' },
  { head: 'Next hops', kind: 'address', field: wayFields, value: (r) => wayFields.map((name) => r[name]), text: (v, r) => hops(r) },
  { head: 'Since', kind: 'number', field: 'since', text: (v) => since(v) },
  { head: 'Why not', field: 'why_not' },
];

// what reads the field of the search: an address, a prefix, or a source.
function what(text) {
  const t = text.trim();
  if (!t) return {};
  if (/^[\d.]+$|:/.test(t) && !t.includes('/')) return { for: t };
  if (t.includes('/')) return { prefix: t };
  return { source: t };
}

// within is an address in a prefix that is hardly the router's own: near its end.
function within(prefix) {
  const [base, length] = prefix.split('/');
  if (base.includes(':')) return Number(length) <= 112 && base.endsWith('::') ? `${base}fffe` : base;
  const hosts = 2 ** (32 - Number(length));
  const number = base.split('.').reduce((n, part) => n * 256 + Number(part), 0) + Math.max(hosts - 2, 0);
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

function open(page) {
  const search = page.parameters.get('search') ?? '';
  const after = page.parameters.get('after') ?? '';
  let typed = search;
  let rows = null;
  let next = '';
  let wrong = '';
  let late = false;
  const reasons = new Map(); // key -> the answer of explain route
  const unfolded = new Set();
  const stop = new AbortController();
  let subscription = null;

  const question = () => url('route', query()).slice('/v1/'.length);
  const at = (r) => ['routes', rows.indexOf(r)];
  const query = () => ({ ...what(search), after, limit: size });
  async function load() {
    try {
      const answer = await ask('route', query(), { signal: stop.signal });
      [rows, next, wrong] = [answer.routes ?? [], answer.next ?? '', ''];
      follow();
    } catch (err) {
      if (err.name === 'AbortError') return;
      [rows, wrong] = [rows ?? [], err.message];
    }
    page.update();
  }
  // follow hears of changes of the prefixes that are shown; the page is asked for
  // again then, at most once in a while.
  function follow() {
    const keys = [...new Set(rows.map((r) => r.prefix))].slice(0, 64);
    if (subscription && String(keys) === String(subscription.keys)) return;
    subscription?.close();
    subscription = null;
    if (!keys.length) return;
    subscription = page.live.subscribe({ topics: ['route'], keys, take: changed });
  }
  let timer;
  function changed(frame) {
    if (frame.type === 'event' && frame.item) {
      const at = rows.findIndex((r) => r.prefix === frame.key);
      const rest = rows.filter((r) => r.prefix !== frame.key);
      if (frame.action !== 'removed' && at >= 0 && !what(search).source) rest.splice(at, 0, ...frame.item.routes);
      rows = rest;
      for (const k of reasons.keys()) if (k.startsWith(`${frame.key} `)) reasons.delete(k);
      page.update();
    }
    late = true;
    timer ??= setTimeout(() => {
      timer = undefined;
      if (late) load();
      late = false;
    }, 1000);
  }
  const key = (r) => `${r.prefix} ${r.source} ${r.distance} ${hops(r)}`;
  function toggle(k) {
    if (unfolded.delete(k)) {
      page.update();
      return;
    }
    unfolded.add(k);
    const row = rows.find((r) => key(r) === k);
    const address = within(row.prefix);
    ask('explain/route', { address }, { signal: stop.signal }).then(
      (answer) => reasons.set(k, answer),
      (err) => err.name !== 'AbortError' && reasons.set(k, { error: err.message }),
    ).then(page.update);
    page.update();
  }
  const questionOf = (r) => url('explain/route', { address: within(r.prefix) }).slice('/v1/'.length);
  const detail = (r) => {
    const answer = reasons.get(key(r));
    if (!answer) return html`<p class="none">Asking the router…</p>`;
    return html`<div>${answer.error ? html`<p>${answer.error}</p>` : why(answer, questionOf(r))}
      ${r.origin ? html`<p>From <a href=${page.link('config', { at: r.origin })}>${figure(question(), [...at(r), 'origin'], r.origin, place(r.origin))}</a>.</p>` : nothing}</div>`;
  };
  function submit(e) {
    e.preventDefault();
    page.go('routes', { search: typed.trim() });
  }
  load();
  return {
    draw() {
      if (!rows) return html`<p class="none">Asking the router…</p>`;
      return html`${wrong ? html`<p class="failed" role="alert">${wrong}</p>` : nothing}
        ${table({ name: 'Routes', of: question(), at, columns, rows, key, open: unfolded, toggle, detail, none: search ? 'No route is offered for this.' : 'There is no route.' })}
        <p class="pages">${after ? html`<a href=${page.link('routes', { search })}>First page</a>` : nothing}
          ${next ? html`<a id="next" href=${page.link('routes', { search, after: next })}>Next page</a>` : nothing}
          <span class="hint">${count(rows.length)} routes on this page</span></p>`;
    },
    tools: () => html`<form class="finder" role="search" @submit=${submit}><label for="filter">For</label>
      <input type="search" id="filter" autocomplete="off" spellcheck="false" placeholder="address, prefix or source" .value=${typed} @input=${(e) => { typed = e.target.value; }}>
      <button type="submit">Find</button></form>`,
    asks() {
      const q = query();
      const flags = [q.prefix ?? '', q.for ? `for ${q.for}` : '', q.source ? `--source ${q.source}` : ''].filter(Boolean).join(' ');
      return [{ words: `show route ${flags}`.trim(), path: url('route', q) }];
    },
    close() {
      stop.abort();
      clearTimeout(timer);
      subscription?.close();
    },
  };
}

export default { name: 'routes', title: 'Routes', key: 'r', open };
