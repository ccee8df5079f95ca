// Config: the text of the configuration that runs, with the line that a link leads to,
// and what a reload would change.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask } from '../api.js';
import { figure } from '../figure.js';
import { table } from '../table.js';
import { place, since } from '../format.js';

// lineOf is the number of the line in a place such as routerd.toml:12 or
// routerd.toml:12:5; 0 for none.
export const lineOf = (origin) => Number(/:(\d+)(?::\d+)?$/.exec(origin ?? '')?.[1] ?? 0);

const name = (path) => path.replace(/^.*\//, '');

function open(page) {
  const stop = new AbortController();
  let running = null;
  let diff = null;
  let problem = '';
  let refused = []; // what is wrong with the file
  let at = page.parameters.get('at') ?? '';
  let led = ''; // the place that was scrolled to

  async function load() {
    try {
      running = await ask('config', {}, { signal: stop.signal });
      problem = '';
    } catch (err) {
      if (err.name === 'AbortError') return;
      problem = err.message;
    }
    page.update();
    try {
      diff = await ask('diff', {}, { signal: stop.signal });
      refused = [];
    } catch (err) {
      if (err.name === 'AbortError') return;
      diff = null;
      refused = err.problems?.length ? err.problems : [{ message: err.message, origin: '' }];
    }
    page.update();
  }
  const subscription = page.live.subscribe({ topics: ['config'], take: load });
  load();

  // lead scrolls to the line that a link leads to, once it is drawn.
  function lead() {
    if (!running || led === at) return;
    led = at;
    const n = lineOf(at);
    if (n) requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(`line-${n}`)?.scrollIntoView({ block: 'center' })));
  }
  const changes = [
    { head: 'Change', field: 'kind' },
    { head: 'Key', kind: 'address', field: 'path' },
    { head: 'Now', kind: 'address', field: 'old' },
    { head: 'Then', kind: 'address', field: 'new' },
    { head: 'Meaning', field: 'impact' },
  ];
  const mistakes = [
    { head: 'Place', kind: 'address', field: 'origin', text: (v) => place(v) },
    { head: 'What', field: 'message' },
  ];
  // list draws rows of the answer of diff, which has them as a field.
  const list = (field, rows, more) => table({ of: 'diff', at: (r) => [field, rows.indexOf(r)], rows, key: (r) => rows.indexOf(r), ...more });

  function pending() {
    if (refused.length) {
      return html`<section aria-labelledby="config-diff"><h2 id="config-diff">The file cannot be applied</h2>
        ${list('problems', refused, { name: 'What is wrong with the file', columns: mistakes })}</section>`;
    }
    if (!diff) return nothing;
    const effects = diff.effects ?? [];
    return html`<section aria-labelledby="config-diff"><h2 id="config-diff">What a reload would change</h2>
      ${list('changes', diff.changes ?? [], { name: 'What a reload would change', columns: changes, none: 'The file is what runs.' })}
      ${effects.length ? html`<ul>${effects.map((e, i) => html`<li>${figure('diff', ['effects', i, 'protocol'], e.protocol)}: ${figure('diff', ['effects', i, 'text'], e.text)}</li>`)}</ul>` : nothing}
      ${diff.warnings?.length ? list('warnings', diff.warnings, { name: 'Warnings', columns: mistakes }) : nothing}</section>`;
  }
  function text() {
    const n = at && name(at.replace(/(:\d+){1,2}$/, '')) !== name(running.file) ? 0 : lineOf(at);
    const lines = running.text.replace(/\n$/, '').split('\n');
    return html`<section aria-labelledby="config-text"><h2 id="config-text">${name(running.file)} <span class="tallies">applied ${figure('config', ['applied'], running.applied, since(running.applied))} ago</span></h2>
      <div class="scroll" tabindex="0" role="region" aria-label="The configuration that runs"><ol class="config">${lines.map((l, i) => html`<li id=${`line-${i + 1}`} class=${i + 1 === n ? 'marked' : ''} aria-current=${i + 1 === n ? 'true' : nothing}><code>${l || ' '}</code></li>`)}</ol></div></section>`;
  }
  return {
    draw() {
      lead();
      return html`${problem ? html`<p class="failed" role="alert">${problem}</p>` : nothing}
        ${running ? html`${pending()}${text()}` : html`<p class="none">Asking the router…</p>`}`;
    },
    asks: () => [{ words: 'show config', path: '/v1/config' }, { words: 'diff', path: '/v1/diff' }],
    moved(parameters) {
      at = parameters.get('at') ?? '';
      page.update();
    },
    close() {
      stop.abort();
      subscription.close();
    },
  };
}

export default { name: 'config', title: 'Config', key: 'c', open };
