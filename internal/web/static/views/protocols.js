// Protocols: whatever nouns the protocols and address translation have, as tables of
// what they answer.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask, url } from '../api.js';
import { fields, finder, Order, table } from '../table.js';
import { heading, named, plain } from '../format.js';

const size = 200; // rows of a page of a long list
const REFRESH = 5000;

const mono = /^(address|prefix|peer|interface|router_id|area|mac|neighbor|next_hop|link_state_id|advertising_router|source|local|id)$/;

// columnsOf are the fields of rows that are no lists of objects, in the order in which
// they first come.
function columnsOf(rows) {
  const names = new Set();
  for (const r of rows) for (const [k, v] of Object.entries(r)) if (!compound(v) && !(k === 'for' && r.since)) names.add(k);
  return [...names].sort((a, b) => rank(a) - rank(b)).slice(0, 10).map((name) => {
    const numeric = rows.every((r) => r[name] === undefined || typeof r[name] === 'number');
    return {
      head: heading(name), field: name,
      kind: name === 'state' ? 'state' : mono.test(name) ? 'address' : numeric ? 'number' : 'words',
      text: (v) => named(name, v),
    };
  });
}

const first = ['prefix', 'address', 'peer', 'neighbor', 'interface', 'name', 'type', 'id', 'area', 'router_id', 'state'];
const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
const compound = (v) => typeof v === 'object' && v !== null && (!Array.isArray(v) || v.some((x) => typeof x === 'object'));

function open(page) {
  const chosen = page.parameters.get('noun') ?? '';
  const after = page.parameters.get('after') ?? '';
  let nouns = null;
  let noun = null;
  let answer = null;
  let wrong = '';
  let filter = '';
  let timer;
  const orders = new Map();
  const unfolded = new Set();
  const stop = new AbortController();

  const query = () => ({ after, limit: noun.parameters.includes('limit') ? size : '' });
  const question = () => url(noun.name, query()).slice('/v1/'.length);
  async function begin() {
    try {
      const [index, there, config] = await Promise.all(['', 'protocol', 'config'].map((path) => ask(path, {}, { signal: stop.signal })));
      // A noun of a protocol that is not configured answers with an error.
      const groups = there.protocols.filter((p) => p.configured).map((p) => p.name);
      if (/^\s*\[+\s*nat\b/m.test(config.text)) groups.push('nat');
      nouns = index.nouns.filter((n) => n.method === 'GET' && groups.includes(n.path.split('/')[2]) && !needs(n))
        .map((n) => ({ path: n.path, parameters: n.parameters ?? [], name: n.path.slice('/v1/'.length) }));
      noun = nouns.find((n) => n.name === chosen) ?? nouns[0] ?? null;
    } catch (err) {
      page.fail(err);
      nouns ??= [];
    }
    page.update();
    if (noun) await load();
  }
  // needs tells if a noun answers only about one neighbor.
  const needs = (n) => /\/(received|filtered|advertised)$/.test(n.path);
  async function load() {
    try {
      answer = await ask(noun.name, query(), { signal: stop.signal });
      wrong = '';
    } catch (err) {
      if (err.name === 'AbortError') return;
      wrong = err.message;
    }
    page.update();
    if (!stop.signal.aborted) timer = setTimeout(() => (document.visibilityState === 'visible' ? load() : wait()), REFRESH);
  }
  function wait() {
    timer = setTimeout(() => (document.visibilityState === 'visible' ? load() : wait()), REFRESH);
  }
  function toggle(key) {
    if (!unfolded.delete(key)) unfolded.add(key);
    page.update();
  }
  function list(name, rows) {
    if (!orders.has(name)) orders.set(name, new Order(page.update));
    const columns = columnsOf(rows);
    const at = (r) => [name, rows.indexOf(r)];
    const keys = new Map(rows.map((r, i) => [r, `${name} ${i} ${columns.slice(0, 2).map((c) => plain(r[c.field])).join(' ')}`]));
    return html`<section data-list=${name}><h2>${heading(name)}</h2>
      ${table({ name: heading(name), of: question(), at, columns, rows, key: (r) => keys.get(r), order: orders.get(name), filter, open: unfolded, toggle, detail: (r) => fields(r, question(), at(r)) })}</section>`;
  }
  function body() {
    const lists = Object.entries(answer).filter(([, v]) => Array.isArray(v) && v.length && v.every((x) => typeof x === 'object' && x !== null));
    const rest = Object.fromEntries(Object.entries(answer).filter(([k, v]) => k !== 'next' && !lists.some(([name]) => name === k) && !(Array.isArray(v) && !v.length)));
    return html`${Object.keys(rest).length ? html`<section>${fields(rest, question(), [])}</section>` : nothing}
      ${lists.map(([name, rows]) => list(name, rows))}
      ${!lists.length && !Object.keys(rest).length ? html`<p class="none">There is none.</p>` : nothing}
      ${answer.next ? html`<p class="pages"><a href=${page.link('protocols', { noun: noun.name, after: answer.next })}>Next page</a></p>` : nothing}`;
  }
  begin().catch((err) => page.fail(err));
  return {
    draw() {
      if (!nouns) return html`<p class="none">Asking the router…</p>`;
      if (!noun) return html`<p class="none">No protocol is configured.</p>`;
      return html`<nav class="tabs" aria-label="What to show">${nouns.map((n) => html`<a href=${page.link('protocols', { noun: n.name })} aria-current=${n === noun ? 'true' : nothing}>${n.name.replaceAll('/', ' ')}</a>`)}</nav>
        ${wrong ? html`<p class="failed" role="alert">${wrong}</p>` : nothing}${answer ? body() : nothing}`;
    },
    tools: () => finder(filter, (text) => {
      filter = text;
      page.update();
    }),
    asks: () => (noun ? [{ words: `show ${noun.name.replaceAll('/', ' ')}`, path: url(noun.name, query()) }] : []),
    close() {
      stop.abort();
      clearTimeout(timer);
    },
  };
}

export default { name: 'protocols', title: 'Protocols', key: 'p', open };
