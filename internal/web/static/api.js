// Asks the API of the router that served this page. The router knows the user by a
// cookie that scripts cannot read.

// Refused is an error that the API has answered, or that there was no answer:
// status 0. Its message is for the user.
export class Refused extends Error {
  constructor(status, message, problems = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

// skew is how far the router's clock is ahead of the browser's, in milliseconds,
// as well as answers tell: to about a second.
export let skew = 0;

// now is the time by the router's clock, in milliseconds.
export const now = () => Date.now() + skew;

let lost = () => {};

// onLost has f called when the API no longer accepts the session.
export function onLost(f) {
  lost = f;
}

// url is the path of a noun with its parameters; those that are empty are left out.
export function url(path, query = {}) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === true) q.set(name, 'true');
    else if (value !== undefined && value !== null && value !== '' && value !== false) q.set(name, String(value));
  }
  const text = q.toString();
  return '/v1/' + path + (text ? '?' + text : '');
}

async function send(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', cache: 'no-store', redirect: 'error', ...options });
  } catch (err) {
    if (err.name === 'AbortError') throw err;
    throw new Refused(0, 'the router does not answer');
  }
  const date = Date.parse(answer.headers.get('Date') ?? '');
  // The header is cut to whole seconds: a step below one says nothing.
  if (Number.isFinite(date) && Math.abs(date + 500 - now()) > 1000) skew = date + 500 - Date.now();
  return answer;
}

// ask returns what a noun answers. It throws a Refused. A change is a POST.
export async function ask(path, query, { method = 'GET', signal } = {}) {
  const answer = await send(url(path, query), { method, signal });
  return read(answer, path);
}

async function read(answer, path) {
  const text = await answer.text();
  let body = {};
  try {
    body = text ? JSON.parse(text) : {};
  } catch {
    body = { error: `the answer to ${path} is no JSON` };
    if (answer.ok) throw new Refused(answer.status, body.error);
  }
  if (answer.ok) return body;
  if (answer.status === 401) lost();
  throw new Refused(answer.status, words(answer, body), body.problems);
}

// words says in a sentence why a request was refused.
function words(answer, body) {
  const why = body.error || `the router answers ${answer.status}`;
  switch (answer.status) {
    case 401:
      return 'you are no longer logged in';
    case 403:
      return `you may not do this: ${why}`;
    case 429: {
      const wait = answer.headers.get('Retry-After');
      return wait ? `${why}; try again in ${wait} s` : why;
    }
    default:
      return why;
  }
}

// login exchanges a one-time code or a token for the cookie. Neither is kept.
export async function login(secret) {
  const answer = await send('/v1/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(secret),
  });
  if (answer.ok) return;
  const body = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, answer.status === 401 && !body.error ? 'the router does not know this' : body.error || words(answer, body));
}

// logout ends the login.
export async function logout() {
  await send('/v1/logout', { method: 'POST' });
}

// whoami returns {name, role, source}, or null without a session.
export async function whoami() {
  const answer = await send('/v1/whoami', {});
  if (answer.status === 401) return null;
  return read(answer, 'whoami');
}

// svg asks for a path as a document of SVG, which the browser parses itself.
export function svg(path) {
  return new Promise((resolve, reject) => {
    const q = new XMLHttpRequest();
    q.open('GET', path);
    q.responseType = 'document';
    q.overrideMimeType('image/svg+xml');
    q.onload = () => {
      if (q.status === 401) lost();
      if (q.status === 200 && q.responseXML?.documentElement?.localName === 'svg') resolve(q.responseXML.documentElement);
      else reject(new Refused(q.status, `the router answers ${q.status} for ${path}`));
    };
    q.onerror = () => reject(new Refused(0, 'the router does not answer'));
    q.send();
  });
}
