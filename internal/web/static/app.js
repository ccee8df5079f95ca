// The frame around views: which is shown, the state of the connection, keys, dialogs.

import { html, nothing, render } from './vendor/lit-html/lit-html.js';
import { login, logout, onLost, Refused, whoami } from './api.js';
import { Live } from './live.js';
import { Store } from './store.js';
import { badge } from './table.js';
import { keysDialog, copyDialog, show } from './dialogs.js';
import { loginView } from './login.js';
import { views } from './views/index.js';

const root = document.getElementById('page');
const themes = ['system', 'light', 'dark'];
const roles = ['read', 'operate', 'admin'];

const app = {
  who: null, // null: nobody; undefined is not used
  known: false, // whether it is known who asks
  problem: '', // of logging in
  view: null,
  shown: null, // what view.open returned
  said: '',
  failed: '',
  theme: themes.includes(stored('theme')) ? stored('theme') : 'system',
  shortcuts: stored('shortcuts') !== 'off',
};

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // the browser keeps nothing
  }
}

function store(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // then it is so until the page is left
  }
}

const live = new Live();
const objects = new Store(live, update);
live.onlost = signedOut;
live.onfailed = async () => {
  try {
    if (!(await whoami())) signedOut();
  } catch {
    // the router does not answer: the connection is tried again
  }
};
live.onhello = () => objects.follow(live.hello.topics);
live.onchange = () => {
  if (live.state !== app.state) update();
};
onLost(signedOut);

// page is what views have.
function pageFor(parameters) {
  return {
    live, store: objects, who: app.who, parameters, update, go, link, say, fail,
    may: (role) => roles.indexOf(app.who.role) >= roles.indexOf(role),
  };
}

// update has the page drawn before the next frame.
let due = false;
function update() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    draw();
  });
}

function say(text) {
  app.said = text;
  update();
}

function fail(err) {
  if (err.name === 'AbortError' || (err instanceof Refused && err.status === 401)) return;
  app.failed = err instanceof Refused ? err.message : `the page failed: ${err.message}`;
  if (!(err instanceof Refused)) console.error(err);
  update();
}

function link(name, parameters = {}) {
  const q = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== '' && v !== null && v !== undefined)).toString();
  return `#${name}${q ? '?' + q : ''}`;
}

function go(name, parameters) {
  location.hash = link(name, parameters);
}

// route shows the view that the URL names.
function route() {
  if (!app.who) return;
  const [name, q] = location.hash.slice(1).split('?');
  const parameters = new URLSearchParams(q);
  const view = views.find((v) => v.name === name) ?? views[0];
  app.failed = '';
  if (view === app.view && app.shown?.moved) {
    app.shown.moved(parameters);
  } else {
    const other = view !== app.view;
    app.shown?.close();
    app.view = view;
    app.shown = view.open(pageFor(parameters));
    document.title = `${view.title} - ${live.hello?.router ?? 'routerd'}`;
    if (other && app.ready) {
      draw();
      document.getElementById('content')?.focus();
      scrollTo(0, 0);
    }
  }
  app.ready = true;
  update();
}

async function start() {
  const secret = /^#code=(.+)$/.exec(location.hash);
  if (secret) {
    // The code is used up, and stays in no history.
    history.replaceState(null, '', location.pathname);
    await enter({ code: decodeURIComponent(secret[1]) });
    return;
  }
  await identify();
}

// enter logs in.
async function enter(secret) {
  app.problem = '';
  try {
    await login(secret);
  } catch (err) {
    app.problem = err.message;
  }
  await identify();
}

async function identify() {
  try {
    app.who = await whoami();
  } catch (err) {
    app.problem = err.message;
  }
  app.known = true;
  if (app.who) {
    live.start();
    route();
  }
  update();
}

function signedOut() {
  if (!app.who) return;
  live.stop();
  app.shown?.close();
  app.shown = app.view = app.who = null;
  app.problem = 'Your login has ended.';
  update();
}

async function leave() {
  try {
    await logout();
  } catch (err) {
    fail(err);
    return;
  }
  signedOut();
  app.problem = '';
}

function setTheme(name) {
  app.theme = name;
  store('theme', name);
  applyTheme();
  update();
}

function applyTheme() {
  if (app.theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = app.theme;
  dispatchEvent(new Event('themechange'));
}

const words = {
  live: 'What is shown is what the router has now',
  behind: 'What is shown is older than what the router has; it is catching up',
  reconnecting: 'The router does not answer; what is shown is what it last said',
};

function draw() {
  app.state = live.state;
  if (!app.known) return;
  if (!app.who) {
    render(loginView({ problem: app.problem, enter }), root);
    return;
  }
  render(frame(), root);
}

function frame() {
  const { view, shown } = app;
  const router = live.hello?.router ?? live.name ?? 'routerd';
  live.name = router;
  if (view) document.title = `${view.title} - ${router}`;
  return html`
    <a class="skip" href="#content" @click=${skip}>Skip to the content</a>
    <header>
      <span class="router">${router}</span>
      <span class="state ${app.state}" id="state" role="status" title=${words[app.state]}>${badge(app.state)}</span>
      <span class="space"></span>
      <label class="theme"><span class="unseen">Colors</span><select id="theme" @change=${(e) => setTheme(e.target.value)}>
        ${themes.map((t) => html`<option value=${t} ?selected=${t === app.theme}>${t[0].toUpperCase() + t.slice(1)}</option>`)}</select></label>
      <button type="button" id="keys" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" @click=${openKeys}>?</button>
      <span class="who" title=${app.who.source ?? ''}>${app.who.name} <span class="role">${app.who.role}</span></span>
      <button type="button" id="leave" @click=${leave}>Log out</button>
    </header>
    <nav aria-label="Views"><ul>${views.map((v) => html`<li><a href=${link(v.name)} aria-current=${v === view ? 'page' : nothing}>${v.title}</a></li>`)}</ul></nav>
    <main id="content" tabindex="-1">
      <div class="head"><h1>${view?.title}</h1>${shown?.tools?.() ?? nothing}<span class="space"></span>
        <button type="button" id="copy" @click=${() => openCopy()}>Copy as…</button></div>
      ${app.failed ? html`<p class="failed" role="alert">${app.failed} <button type="button" @click=${() => { app.failed = ''; update(); }}>Close</button></p>` : nothing}
      <div class="view" id=${`view-${view?.name}`}>${shown?.draw() ?? nothing}</div>
    </main>
    <div class="unseen" role="status" aria-live="polite" id="said">${app.said}</div>`;
}

function skip(e) {
  e.preventDefault();
  document.getElementById('content').focus();
}

function openKeys() {
  show(keysDialog({
    views, shortcuts: app.shortcuts,
    set(on) {
      app.shortcuts = on;
      store('shortcuts', on ? 'on' : 'off');
    },
  }));
}

function openCopy() {
  show(copyDialog({ asks: app.shown?.asks?.() ?? [], say }));
}

// Keys: g and a letter for a view; the rest is listed under "?".
let going = -Infinity;
function onKey(e) {
  if (e.defaultPrevented || e.ctrlKey || e.altKey || e.metaKey || !app.who || !app.shortcuts) return;
  if (e.target.closest?.('input, select, textarea, dialog')) return;
  if (e.timeStamp - going < 1500) {
    going = -Infinity;
    const v = views.find((x) => x.key === e.key);
    if (v) {
      go(v.name);
      e.preventDefault();
    }
    return;
  }
  switch (e.key) {
    case 'g':
      going = e.timeStamp;
      return;
    case '?':
      openKeys();
      break;
    case '/':
      document.getElementById('filter')?.focus();
      break;
    case 'c':
      openCopy();
      break;
    default:
      return;
  }
  e.preventDefault();
}

applyTheme();
addEventListener('hashchange', route);
addEventListener('keydown', onKey);
setInterval(() => app.who && document.visibilityState === 'visible' && update(), 1000); // durations go on
start();

// For tests, and for a user who looks at the console: what the page holds, to read.
window.routerd = { live, store: objects, get view() { return app.view?.name; }, get shown() { return app.shown; } };
