// The map of a lab: asks once a second what is up, and draws what has changed.

const EVERY = 1000;

const by = (id) => document.getElementById(id);
let last = '';
let turn = 0;

function cell(text, kind = '') {
  const td = document.createElement('td');
  td.textContent = text;
  td.className = kind;
  return td;
}

function row(...cells) {
  const tr = document.createElement('tr');
  tr.append(...cells);
  return tr;
}

const good = (state) => (state === 'up' ? 'good' : 'bad');

function link(node) {
  const td = document.createElement('td');
  if (node.kind !== 'router' || !node.up) return td;
  const a = document.createElement('a');
  a.href = `/v1/open/${encodeURIComponent(node.node)}`;
  a.target = '_blank';
  a.textContent = `Open ${node.node}`;
  td.append(a);
  return td;
}

function draw(lab) {
  by('name').textContent = `Lab ${lab.name}`;
  document.title = `Lab ${lab.name}`;
  by('nodes').replaceChildren(...lab.nodes.map((n) => row(cell(n.node, 'code'), cell(n.kind), cell(n.up ? 'up' : `down: ${n.detail ?? ''}`, n.up ? 'good' : 'bad'), link(n))));
  by('links').replaceChildren(...lab.links.map((l) => row(cell(l.ends[0], 'code'), cell(l.ends[1], 'code'), cell(l.state, good(l.state)))));
  by('map').src = `/v1/lab.svg?turn=${++turn}`;
  by('map').hidden = false;
}

function say(state, problem = '') {
  by('state').textContent = state;
  by('state').className = state === 'live' ? 'good' : 'bad';
  by('problem').textContent = problem;
  by('problem').hidden = problem === '';
}

async function look() {
  try {
    const answer = await fetch('/v1/lab', { cache: 'no-store' });
    if (answer.status === 401) {
      say('logged out', 'The URL that routerd lab web prints opens this page.');
      return;
    }
    const text = await answer.text();
    if (!answer.ok) {
      say('failing', text);
    } else {
      if (text !== last) draw(JSON.parse(text));
      last = text;
      say('live');
    }
  } catch {
    say('reconnecting', 'routerd lab web does not answer; what is shown is what it last said.');
  }
  setTimeout(look, EVERY);
}

async function begin() {
  const secret = /^#code=(.+)$/.exec(location.hash);
  if (secret) {
    history.replaceState(null, '', location.pathname);
    await fetch('/v1/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ code: decodeURIComponent(secret[1]) }) }).catch(() => {});
  }
  look();
}

begin();
