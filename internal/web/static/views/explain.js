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

// probed are the fields of a packet that the router sends itself: it has the source.
const probed = ({ dst, protocol, dst_port, size, ttl, df }) => ({ dst, protocol, dst_port: transport({ protocol }) ? dst_port : '', size, ttl, df });

// probeCommand is the probe in the words of the command line.
function probeCommand(values) {
  const v = probed(values);
  const words = [`probe --dst ${v.dst}`];
  if (v.dst_port) words.push(`--${v.protocol} ${v.dst_port}`);
  for (const name of ['size', 'ttl']) if (v[name]) words.push(`--${name} ${v[name]}`);
  return words.join(' ') + (v.df ? ' --df' : '');
}

// seconds is a time that is mostly far below one.
const seconds = (s) => (s < 1 ? `${(s * 1000).toFixed(s < 0.01 ? 2 : 0)} ms` : `${s.toFixed(1)} s`);

function drawProbe(x, page) {
  const side = (name, part, rest) => html`<section aria-label=${name}><h3>${name}</h3>
    <p>${badge(classes[part.class] ?? part.class)} ${part.sentence}${part.out ? html`, out by <code>${part.out}</code>` : nothing}${part.next_hop ? html` to <code>${part.next_hop}</code>` : nothing}${part.left_after !== undefined ? html` after ${seconds(part.left_after)}` : nothing}</p>
    ${rest}</section>`;
  const o = x.observation;
  return html`<p class="verdict"><span class="badge ${x.agrees ? 'good' : 'bad'}">${x.agrees ? 'as predicted' : 'differs'}</span> ${x.says}</p>
    <p class="hint"><code>${x.packet}</code></p>
    <div class="beside">
      ${side('Predicted', x.prediction, html`<ol>${x.prediction.steps.map((s) => html`<li><code>${s.stage}</code> ${s.text} ${origin(page, s.origin)}</li>`)}</ol>`)}
      ${side('Observed', o, o.answer ? html`<p><code>${o.answer.packet}</code> came back by <code>${o.answer.in}</code> after ${seconds(o.answer.after)}</p>` : html`<p>Nothing came back within 2 s.</p>`)}
    </div>`;
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
  let probe = { result: null, problem: '', waiting: false };

  function read(parameters) {
    stop.abort();
    stop = new AbortController();
    what = questions[parameters.get('what')] ? parameters.get('what') : 'packet';
    values = Object.fromEntries(questions[what].fields.map((f) => [f.name, f.check ? parameters.get(f.name) === 'true' : parameters.get(f.name) ?? '']));
    if (what === 'packet') values.protocol ||= 'icmp';
    [answer, problem, waiting] = [null, '', false];
    probe = { result: null, problem: '', waiting: false };
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
  async function send() {
    const { signal } = stop;
    const own = (probe = { result: null, problem: '', waiting: true });
    page.update();
    try {
      own.result = await ask('probe', probed(values), { method: 'POST', signal });
    } catch (err) {
      if (err.name === 'AbortError') return;
      own.problem = err.message;
    }
    own.waiting = false;
    page.update();
  }
  // A probe is sent when somebody asks for it, never because a link leads here.
  function drawSend() {
    if (what !== 'packet' || !values.dst) return nothing;
    const may = page.may('operate');
    return html`<section id="probe"><h2>A real probe</h2>
      <p class="hint">The router sends one packet of its own to ${values.dst} and waits 2 s for what comes back. ${may ? nothing : 'This takes the role operate.'}</p>
      <p><button type="button" ?disabled=${!may || probe.waiting} @click=${send}>Send a real probe</button></p>
      ${probe.problem ? html`<p class="failed" role="alert">${probe.problem}</p>` : nothing}
      <div role="region" aria-live="polite" aria-label="The probe">${probe.waiting ? html`<p class="none">Waiting for an answer…</p>` : nothing}${probe.result ? drawProbe(probe.result, page) : nothing}</div></section>`;
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
        <div id="explained" role="region" aria-live="polite" aria-label="The answer">${answer ? q.draw(answer, page, url(q.path, asked(what, values)).slice('/v1/'.length)) : nothing}</div>
        ${drawSend()}`;
    },
    asks: () => [
      { words: command(what, values), path: url(questions[what].path, asked(what, values)) },
      ...(what === 'packet' && values.dst ? [{ title: 'A real probe', words: probeCommand(values), path: url('probe', probed(values)), method: 'POST' }] : []),
    ],
    moved: read,
    close: () => stop.abort(),
  };
}

export default { name: 'explain', title: 'Explain', key: 'x', open };
