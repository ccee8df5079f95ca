// Explain: what the router would do with a packet, why it forwards an address as it
// does, what policies make of a route.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask, url } from '../api.js';
import { figure } from '../figure.js';
import { badge, table } from '../table.js';
import { place, plain } from '../format.js';
import { why } from '../why.js';

// The questions. A field is
//   name     of the parameter
//   label    what stands beside it
//   like     an example in the empty field
//   flag     of the command line; absent for an argument
//   choices  of a select; may be a function of the page
//   check    it is a yes or no
//   when     of all values: whether the field is wanted; absent for always
const transport = (v) => v.protocol === 'tcp' || v.protocol === 'udp';
const questions = {
  packet: {
    title: 'Packet', path: 'explain/packet', needs: ['in', 'src', 'dst'],
    fields: [
      { name: 'in', label: 'In by', flag: '--in', choices: (page) => page.store.items('interface').filter((r) => r.item.kind !== 'loopback').map((r) => r.key) },
      { name: 'src', label: 'From', flag: '--src', like: '10.0.1.2' },
      { name: 'dst', label: 'To', flag: '--dst', like: '10.0.2.2' },
      { name: 'protocol', label: 'Protocol', choices: () => ['icmp', 'tcp', 'udp'] },
      { name: 'src_port', label: 'From port', flag: '--src-port', like: '49152', when: transport },
      { name: 'dst_port', label: 'To port', like: '443', when: transport },
      { name: 'size', label: 'Bytes', flag: '--size', like: 'as few as it can have' },
      { name: 'ttl', label: 'TTL', flag: '--ttl', like: '64' },
      { name: 'df', label: 'Do not fragment', flag: '--df', check: true },
    ],
    draw: drawPacket,
  },
  route: {
    title: 'Route', path: 'explain/route', needs: ['address'],
    fields: [{ name: 'address', label: 'To', like: '10.0.2.2' }],
    draw: (x, page, of) => why(x, of),
  },
  policy: {
    title: 'Policy', path: 'explain/policy', needs: ['policy', 'prefix'],
    fields: [
      { name: 'policy', label: 'Policies, in order', like: 'transit-in,rest' },
      { name: 'prefix', label: 'Prefix', flag: '--prefix', like: '198.51.100.0/24' },
      { name: 'source', label: 'Source', flag: '--protocol', like: 'static' },
      { name: 'metric', label: 'Metric', flag: '--metric', like: '0' },
      { name: 'tag', label: 'Tag', flag: '--tag', like: '0' },
      { name: 'next_hop', label: 'Next hop', flag: '--next-hop', like: 'on the link' },
    ],
    draw: drawPolicy,
  },
};

const origin = (page, o) => (o ? html`<a href=${page.link('config', { at: o })}>${place(o)}</a>` : nothing);

const classes = { passed: 'done', local: 'done', dropped: 'refused' };

function drawPacket(x, page, of) {
  const f = (...at) => figure(of, at, at.reduce((v, name) => v?.[name], x));
  const steps = [
    { head: 'Stage', kind: 'address', field: 'stage' },
    { head: 'Decision', field: 'text' },
    { head: 'Line', kind: 'address', field: 'origin', draw: (v) => origin(page, v) },
  ];
  const list = (name, rows) => table({ name, of, at: (r) => ['steps', x.steps.indexOf(r)], columns: steps, rows, key: (r) => x.steps.indexOf(r) });
  const about = (answer) => x.steps.filter((s) => s.answer === answer);
  return html`<p class="verdict"><span class="badge ${x.class === 'dropped' ? 'bad' : 'good'}">${f('verdict')}</span> ${f('sentence')}${x.out ? html`, out by <code>${f('out')}</code>` : nothing}</p>
    <p class="hint"><code>${f('packet')}</code></p>
    ${list('What each stage decides', about(false))}
    ${x.answer ? html`<section><h2>What goes back</h2><p>${badge(classes[x.class] ?? x.class)} <code>${f('answer', 'packet')}</code>: ${f('answer', 'sentence')}${x.answer.out ? html`, out by <code>${f('answer', 'out')}</code>` : nothing}</p>
      ${list('What each stage decides about the answer', about(true))}</section>` : nothing}`;
}

function drawPolicy(x, page, of) {
  const columns = [
    { head: 'Policy', kind: 'address', field: 'policy' },
    { head: 'Statement', kind: 'address', field: 'statement' },
    { head: 'Matched', field: 'matched' },
    { head: 'Sets', field: 'set' },
    { head: 'Decision', field: 'decision' },
    { head: 'Why not', field: 'why_not' },
    { head: 'Line', kind: 'address', field: 'origin', draw: (v) => origin(page, v) },
  ];
  return html`<p class="verdict"><span class="badge ${x.accepted ? 'good' : 'bad'}">${figure(of, ['accepted'], x.accepted, x.accepted ? 'accepted' : 'rejected')}</span> ${figure(of, ['decided'], x.decided)}</p>
    ${table({ name: 'What each statement does', of, at: (r) => ['steps', x.steps.indexOf(r)], columns, rows: x.steps, key: (r) => x.steps.indexOf(r) })}
    ${x.result ? html`<section><h2>What the route becomes</h2><p>${figure(of, ['result'], x.result, plain(x.result))}</p></section>` : nothing}`;
}

// command is a question in the words of the command line.
function command(what, values) {
  const q = questions[what];
  const words = [`explain ${what}`];
  for (const f of wanted(q, values)) {
    const v = values[f.name];
    if (!v || (f.name === 'protocol' && what === 'packet')) continue;
    if (f.name === 'dst_port') words.push(`--${values.protocol} ${v}`);
    else if (f.check) words.push(f.flag);
    else if (f.flag) words.push(`${f.flag} ${v}`);
    else words.push(f.name === 'policy' ? v.split(/[\s,]+/).join(' ') : v);
  }
  return words.join(' ');
}

const wanted = (q, values) => q.fields.filter((f) => !f.when || f.when(values));

// asked are the values of the fields that count.
const asked = (what, values) => Object.fromEntries(wanted(questions[what], values).map((f) => [f.name, what === 'policy' && f.name === 'policy' ? (values.policy ?? '').trim().split(/[\s,]+/).join(',') : values[f.name]]));

function open(page) {
  let stop = new AbortController();
  let what = 'packet';
  let values = {};
  let answer = null;
  let problem = '';
  let waiting = false;

  function read(parameters) {
    stop.abort();
    stop = new AbortController();
    what = questions[parameters.get('what')] ? parameters.get('what') : 'packet';
    values = Object.fromEntries(questions[what].fields.map((f) => [f.name, f.check ? parameters.get(f.name) === 'true' : parameters.get(f.name) ?? '']));
    if (what === 'packet') values.protocol ||= 'icmp';
    [answer, problem, waiting] = [null, '', false];
    if (questions[what].needs.every((n) => values[n])) question();
    page.update();
  }
  async function question() {
    const { signal } = stop;
    waiting = true;
    try {
      const found = await ask(questions[what].path, asked(what, values), { signal });
      if (!signal.aborted) answer = found;
    } catch (err) {
      if (err.name === 'AbortError') return;
      problem = err.message;
    }
    waiting = false;
    page.update();
  }
  function submit(e) {
    e.preventDefault();
    const next = { what, ...asked(what, values) };
    if (page.link('explain', next) === location.hash) read(new URLSearchParams(location.hash.split('?')[1]));
    else page.go('explain', next);
  }
  const set = (name, value) => {
    values[name] = value;
    page.update();
  };
  function field(f, needed) {
    const id = `explain-${f.name}`;
    if (f.check) return html`<label class="check"><input type="checkbox" id=${id} .checked=${Boolean(values[f.name])} @change=${(e) => set(f.name, e.target.checked)}> ${f.label}</label>`;
    if (f.choices) {
      const choices = f.choices(page);
      if (!choices.includes(values[f.name]) && values[f.name]) choices.push(values[f.name]);
      return html`<label>${f.label}<select id=${id} ?required=${needed} @change=${(e) => set(f.name, e.target.value)}>
        ${values[f.name] ? nothing : html`<option value="" selected></option>`}${choices.map((c) => html`<option value=${c} ?selected=${c === values[f.name]}>${c}</option>`)}</select></label>`;
    }
    return html`<label>${f.label}<input id=${id} autocomplete="off" spellcheck="false" ?required=${needed} placeholder=${f.like ?? ''} .value=${values[f.name] ?? ''} @input=${(e) => set(f.name, e.target.value.trim())}></label>`;
  }
  read(page.parameters);
  return {
    draw() {
      const q = questions[what];
      return html`<nav class="tabs" aria-label="What to explain">${Object.entries(questions).map(([name, other]) => html`<a href=${page.link('explain', { what: name })} aria-current=${name === what ? 'true' : nothing}>${other.title}</a>`)}</nav>
        <form class="question" @submit=${submit}>${wanted(q, values).map((f) => field(f, q.needs.includes(f.name)))}<button type="submit">Explain</button></form>
        ${problem ? html`<p class="failed" role="alert">${problem}</p>` : nothing}
        ${waiting ? html`<p class="none">Asking the router…</p>` : nothing}
        <div id="explained" role="region" aria-live="polite" aria-label="The answer">${answer ? q.draw(answer, page, url(q.path, asked(what, values)).slice('/v1/'.length)) : nothing}</div>`;
    },
    asks: () => [{ words: command(what, values), path: url(questions[what].path, asked(what, values)) }],
    moved: read,
    close: () => stop.abort(),
  };
}

export default { name: 'explain', title: 'Explain', key: 'x', open };
