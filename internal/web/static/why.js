// What explain route says, in the order in which the router decides.

import { html, nothing } from './vendor/lit-html/lit-html.js';
import { duration, place } from './format.js';
import { hops } from './log.js';
import { badge } from './table.js';

const section = (title, body) => (body?.length ? html`<div class="because"><p class="title">${title}</p><ul>${body.map((b) => html`<li>${b}</li>`)}</ul></div>` : nothing);

const offered = (r) => html`${r.installed ? badge('in use') : badge('not used')} <b>${r.source}</b> <code>${hops(r)}</code> distance ${r.distance}, metric ${r.metric}${r.why_not ? html`: ${r.why_not}` : nothing}${r.origin ? html` <span class="hint">${place(r.origin)}</span>` : nothing}`;

// why draws the answer of explain/route.
export function why(x) {
  return html`<div class="why">
    ${(x.prefixes ?? []).map((p) => html`<div class="because"><p class="title">Offered for <code>${p.prefix}</code>${p.decided ? html`: ${p.decided}` : nothing}</p>
      <ul>${(p.routes ?? []).map((r) => html`<li>${offered(r)}</li>`)}</ul></div>`)}
    ${section('How the next hop is reached', (x.resolution ?? []).map((r) => html`<code>${r.address}</code> by <code>${r.via}</code> of ${r.source}`))}
    ${section('What it follows from', (x.derived ?? []).flatMap((d) => d.paths.map((p) => html`${d.protocol} by <code>${p.path}</code><ul>${p.steps.map((s) => html`<li>${s}</li>`)}</ul>`)))}
    ${section('Passed on to', (x.redistributed ?? []).map((r) => html`<b>${r.to}</b>: ${r.offered ? `offered with metric ${r.metric}` : r.why_not}${r.policy?.length ? html`<ul>${r.policy.map((s) => html`<li>${s}</li>`)}</ul>` : nothing}`))}
    ${section('What packets are forwarded by', x.entry ? [html`<code>${x.entry.prefix}</code> ${x.entry.action} <code>${hops(x.entry)}</code>, from ${x.entry.source}`] : ['no entry covers this address: its packets are dropped'])}
    ${section('On the link', (x.neighbors ?? []).map((n) => html`<code>${n.address}</code> on ${n.interface} ${badge(n.state)} ${n.mac ? html`<code>${n.mac}</code>` : nothing}, for ${duration(n.age)}`))}
  </div>`;
}
