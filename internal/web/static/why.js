// What explain route says, in the order in which the router decides.

import { html, nothing } from './vendor/lit-html/lit-html.js';
import { figure } from './figure.js';
import { duration, place } from './format.js';
import { hops, wayFields } from './log.js';
import { badge } from './table.js';

const section = (title, body) => (body?.length ? html`<div class="because"><p class="title">${title}</p><ul>${body.map((b) => html`<li>${b}</li>`)}</ul></div>` : nothing);

// why draws the answer of explain/route to the question of.
export function why(x, of) {
  // part gives the figures of an object of the answer, by their names.
  const part = (object, ...at) => (name, shown) => figure(of, [...at, name], object[name], shown);
  // way draws where a route leads; several fields say that.
  const way = (r, ...at) => figure(of, [...at, wayFields], wayFields.map((name) => r[name]), hops(r));
  const offered = (r, ...at) => {
    const f = part(r, ...at);
    return html`${f('installed', badge(r.installed ? 'in use' : 'not used'))} <b>${f('source')}</b> <code>${way(r, ...at)}</code> distance ${f('distance')}, metric ${f('metric')}${r.why_not ? html`: ${f('why_not')}` : nothing}${r.origin ? html` <span class="hint">${f('origin', place(r.origin))}</span>` : nothing}`;
  };
  const prefix = (p, i) => {
    const f = part(p, 'prefixes', i);
    return html`<div class="because"><p class="title">Offered for <code>${f('prefix')}</code>${p.decided ? html`: ${f('decided')}` : nothing}</p>
      <ul>${(p.routes ?? []).map((r, k) => html`<li>${offered(r, 'prefixes', i, 'routes', k)}</li>`)}</ul></div>`;
  };
  const resolved = (r, i) => {
    const f = part(r, 'resolution', i);
    return html`${r.address ? html`<code>${f('address')}</code>` : 'On the link'}${r.interface ? html` on ${f('interface')}` : nothing}${r.via ? html` by <code>${f('via')}</code> of ${f('source')}` : nothing}${r.action ? html`: ${f('action')}` : nothing}${r.why_not ? html`: ${f('why_not')}` : nothing}`;
  };
  const derived = (d, i) => d.paths.map((p, k) => {
    const f = part(p, 'derived', i, 'paths', k);
    return html`${part(d, 'derived', i)('protocol')} by <code>${f('path')}</code><ul>${p.steps.map((s, n) => html`<li>${figure(of, ['derived', i, 'paths', k, 'steps', n], s)}</li>`)}</ul>`;
  });
  const redistributed = (r, i) => {
    const f = part(r, 'redistributed', i);
    return html`<b>${f('to')}</b>: ${r.offered ? html`offered with metric ${f('metric')}` : f('why_not')}${r.policy?.length ? html`<ul>${r.policy.map((s, k) => html`<li>${figure(of, ['redistributed', i, 'policy', k], s)}</li>`)}</ul>` : nothing}`;
  };
  const neighbor = (n, i) => {
    const f = part(n, 'neighbors', i);
    return html`<code>${f('address')}</code> on ${f('interface')} ${f('state', badge(n.state))}${n.mac ? html` <code>${f('mac')}</code>` : nothing}${Number.isFinite(n.age) ? html`, for ${f('age', duration(n.age))}` : nothing}`;
  };
  const entry = (e) => {
    const f = part(e, 'entry');
    return html`<code>${f('prefix')}</code> <code>${way(e, 'entry')}</code>, from ${f('source')}`;
  };
  return html`<div class="why">
    ${(x.prefixes ?? []).map(prefix)}
    ${section('How the next hop is reached', (x.resolution ?? []).map(resolved))}
    ${section('What it follows from', (x.derived ?? []).flatMap(derived))}
    ${section('Passed on to', (x.redistributed ?? []).map(redistributed))}
    ${section('What packets are forwarded by', [x.entry ? entry(x.entry) : 'no entry covers this address: its packets are dropped'])}
    ${section('On the link', (x.neighbors ?? []).map(neighbor))}
  </div>`;
}
