// Config: the text of the configuration that runs, with the line that a link leads to,
// and what a reload would change.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ask } from '../api.js';
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
    { head: 'Change', value: (r) => r.kind },
    { head: 'Key', kind: 'address', value: (r) => r.path },
    { head: 'Now', kind: 'address', value: (r) => r.old },
    { head: 'Then', kind: 'address', value: (r) => r.new },
    { head: 'Meaning', value: (r) => r.impact },
  ];
  const mistakes = [
    { head: 'Place', kind: 'address', value: (r) => r.origin, text: (v) => place(v) },
    { head: 'What', value: (r) => r.message },
  ];
  const numbered = (rows) => (rows ?? []).map((r, i) => ({ ...r, key: `${i}` }));

  function pending() {
    if (refused.length) {
      return html`<section aria-labelledby="config-diff"><h2 id="config-diff">The file cannot be applied</h2>
        ${table({ name: 'What is wrong with the file', columns: mistakes, rows: numbered(refused), key: (r) => r.key })}</section>`;
    }
    if (!diff) return nothing;
    const effects = (diff.effects ?? []).map((e) => `${e.protocol}: ${e.text}`);
    return html`<section aria-labelledby="config-diff"><h2 id="config-diff">What a reload would change</h2>
      ${table({ name: 'What a reload would change', columns: changes, rows: numbered(diff.changes), key: (r) => r.key, none: 'The file is what runs.' })}
      ${effects.length ? html`<ul>${effects.map((e) => html`<li>${e}</li>`)}</ul>` : nothing}
      ${diff.warnings?.length ? table({ name: 'Warnings', columns: mistakes, rows: numbered(diff.warnings), key: (r) => r.key }) : nothing}</section>`;
  }
  function text() {
    const n = at && name(at.replace(/(:\d+){1,2}$/, '')) !== name(running.file) ? 0 : lineOf(at);
    const lines = running.text.replace(/\n$/, '').split('\n');
    return html`<section aria-labelledby="config-text"><h2 id="config-text">${name(running.file)} <span class="tallies">applied ${since(running.applied)} ago</span></h2>
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
