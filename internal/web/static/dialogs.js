// Dialogs: the keys, and a view's questions as commands.

import { html, nothing, render } from './vendor/lit-html/lit-html.js';
import { ask } from './api.js';

const place = document.createElement('div');
document.body.append(place);

// show opens a dialog; Escape and its button close it, and the focus goes back.
export function show(template) {
  render(template, place);
  const dialog = place.querySelector('dialog');
  if (!dialog.open) dialog.showModal();
}

const close = () => place.querySelector('dialog').close();

const frame = (title, body) => html`<dialog aria-labelledby="dialog-title">
  <div class="head"><h2 id="dialog-title">${title}</h2><span class="space"></span><button type="button" @click=${close}>Close</button></div>${body}</dialog>`;

export function keysDialog({ views, shortcuts, set }) {
  const rows = [
    ...views.map((v) => [['g', v.key], `Go to ${v.title}`]),
    [['/'], 'Go to the filter'],
    [['c'], 'Copy what is shown as a command'],
    [['?'], 'Show these keys'],
    [['Esc'], 'Close what is open'],
  ];
  return frame('Keyboard', html`
    <table class="keys" aria-label="Keys"><tbody>${rows.map(([keys, what]) => html`<tr><th scope="row">${keys.map((k) => html`<kbd>${k}</kbd> `)}</th><td>${what}</td></tr>`)}</tbody></table>
    <label class="check"><input type="checkbox" ?checked=${shortcuts} @change=${(e) => set(e.target.checked)}> Letters are shortcuts</label>`);
}

// quoted writes a text as one word of a shell.
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

// connection is how curl reaches the router: a self-signed certificate by its pin.
async function connection() {
  if (location.protocol !== 'https:') return '';
  const { https = [] } = await ask('version');
  const here = https.find((a) => new URL(a.url).port === (location.port || '443')) ?? https[0];
  const options = /^curl (.*?)-H /.exec(here?.curl ?? '');
  return `${options?.[1] ?? ''}-H "Authorization: Bearer $TOKEN" `;
}

export function copyDialog({ asks, say }) {
  const draw = (options) => frame('Copy as', asks.length ? html`${asks.map((a) => html`
    <section class="copy"><h3>${a.title ?? a.words}</h3>
      ${a.words ? line('Command', `routerd ${a.words}`, say) : nothing}
      ${a.path ? line('JSON', `curl -sS ${a.method === 'POST' ? '-X POST ' : ''}${options}${quoted(location.origin + a.path)}`, say) : nothing}
    </section>`)}` : html`<p class="none">There is nothing to ask for yet.</p>`);
  connection().then((options) => options && place.querySelector('dialog')?.open && render(draw(options), place)).catch(() => {
    // without the pin the command asks for a signed certificate
  });
  return draw('');
}

function line(name, text, say) {
  return html`<div class="command"><code>${text}</code><button type="button" aria-label=${`Copy ${name}: ${text}`} @click=${() => copy(name, text, say)}>Copy</button></div>`;
}

async function copy(name, text, say) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${name} copied`);
  } catch {
    say('The browser does not let the page copy: mark the text and copy it');
  }
}
