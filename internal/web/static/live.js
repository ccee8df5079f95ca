// Follows the router's events by one WebSocket. Each subscription resumes where it
// was when the connection comes back; what could not be resumed comes as a gap.

const SILENT = 15_000; // bookmarks come every 10 s; without one the page is behind
const DEAD = 30_000; // and after this the connection is given up
const FIRST_WAIT = 250;
const LONGEST_WAIT = 10_000;

const epochOf = (cursor) => cursor.split(':')[0];
const numberOf = (cursor) => Number(cursor.split(':')[1]);

// later is the later one of two cursors of one epoch; the second if they are of two.
function later(a, b) {
  return a && epochOf(a) === epochOf(b) && numberOf(a) > numberOf(b) ? a : b;
}

// Subscription is what one part of the page follows.
//   topics, keys, snapshot   as the frame subscribe has them; no topics are all
//   from(hello)              the cursor to begin after; without it, from now on
//   take(frame)              gets its events, snapshots, samples, gaps and errors
class Subscription {
  constructor(live, id, { topics = [], keys = [], snapshot = false, from, take }) {
    Object.assign(this, { live, id, topics, keys, snapshot, from, take });
    this.cursor = null; // everything up to there was taken
    this.answered = false; // since the connection was made
    this.current = false; // nothing that is known of is still to come
    this.error = '';
  }

  request(hello) {
    const q = { op: 'subscribe', id: this.id };
    if (this.topics.length) q.topics = this.topics;
    if (this.keys.length) q.keys = this.keys;
    if (this.snapshot) q.snapshot = true;
    const after = this.cursor ?? this.from?.(hello);
    if (after) q.after = after;
    return q;
  }

  // restart asks for everything anew.
  restart() {
    this.disconnected();
    this.cursor = null;
    this.live.again(this);
  }

  disconnected() {
    // Half a snapshot is none: the next one begins at the beginning.
    if (this.snapshot && !this.current) this.cursor = null;
    this.answered = this.current = false;
  }

  receive(frame, hello) {
    switch (frame.type) {
      case 'event':
        this.cursor = frame.cursor;
        break;
      case 'bookmark':
        this.cursor = later(this.cursor, frame.cursor);
        this.answered = this.current = true;
        return;
      case 'snapshot':
        if (this.answered && !frame.more) this.current = true;
        break;
      case 'gap':
        // After a restart all events of the new run follow; else those behind the gap.
        this.cursor = epochOf(frame.from) === epochOf(frame.to) ? frame.to : `${hello.epoch}:${numberOf(hello.oldest) - 1}`;
        if (frame.then === 'snapshot') this.current = false;
        break;
      case 'error':
        this.error = frame.error;
        this.answered = this.current = true;
        break;
    }
    this.take(frame);
  }

  close() {
    this.live.drop(this);
  }
}

// Live is the connection. Its state is live, behind or reconnecting.
//   onchange()  is called when the state may be another
//   onhello()   when the router has told what it has
//   onlost()    when the login has ended
//   onfailed()  when a connection was not even made; it is awaited
export class Live {
  constructor() {
    this.subscriptions = new Map();
    this.lastID = 0;
    this.tries = 0;
    this.heard = 0;
    this.hello = null;
    this.connects = 0;
    this.onchange = () => {};
    this.onlost = () => {};
    this.onhello = () => {};
    this.onfailed = async () => {};
    addEventListener('online', () => this.hurry());
    addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.hurry());
  }

  get state() {
    if (!this.hello) return 'reconnecting';
    if (Date.now() - this.heard > SILENT) return 'behind';
    for (const s of this.subscriptions.values()) if (!s.current) return 'behind';
    return 'live';
  }

  start() {
    this.stopped = false;
    this.watch ??= setInterval(() => this.look(), 1000);
    this.connect();
  }

  stop() {
    this.stopped = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.watch = this.timer = undefined;
    this.socket?.close(1000);
    this.lose(this.socket);
  }

  look() {
    if (this.hello && Date.now() - this.heard > DEAD) {
      const socket = this.socket;
      socket.close();
      this.lose(socket); // the browser may wait long for the other side
      this.retry();
    }
    this.onchange();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const base = location.protocol === 'https:' ? 'wss://' : 'ws://';
    const socket = new WebSocket(base + location.host + '/v1/events', ['routerd.v1']);
    this.socket = socket;
    socket.onmessage = (m) => socket === this.socket && this.receive(JSON.parse(m.data));
    socket.onclose = async (e) => {
      if (socket !== this.socket) return;
      const opened = this.hello !== null;
      this.lose(socket);
      if (this.stopped) return;
      if (e.code === 4401) {
        this.onlost();
        return;
      }
      // A browser does not say why an upgrade was refused: it is asked otherwise.
      if (!opened) await this.onfailed();
      if (!this.stopped && !this.socket) this.retry();
    };
  }

  // lose forgets the connection.
  lose(socket) {
    if (!socket || socket !== this.socket) return;
    this.socket = this.hello = null;
    for (const s of this.subscriptions.values()) s.disconnected();
    this.onchange();
  }

  retry() {
    if (this.timer !== undefined) return;
    const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.tries++);
    this.timer = setTimeout(() => this.connect(), most * (0.5 + Math.random() / 2));
  }

  hurry() {
    if (this.timer === undefined) return;
    this.tries = 0;
    this.connect();
  }

  receive(frame) {
    this.heard = Date.now();
    if (frame.type === 'hello') {
      this.hello = frame;
      this.tries = 0;
      this.connects++;
      for (const s of this.subscriptions.values()) this.send(s.request(frame));
      this.onhello();
    } else if (frame.id) {
      this.subscriptions.get(frame.id)?.receive(frame, this.hello);
    } else if (frame.type === 'bookmark') {
      // It is about all subscriptions that the router has.
      for (const s of this.subscriptions.values()) if (s.current) s.cursor = later(s.cursor, frame.cursor);
    }
    this.onchange();
  }

  send(frame) {
    if (this.hello && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  // subscribe adds a subscription, which lives until its close, across connections.
  subscribe(what) {
    const s = new Subscription(this, ++this.lastID, what);
    this.subscriptions.set(s.id, s);
    if (this.hello) this.send(s.request(this.hello));
    this.onchange();
    return s;
  }

  drop(s) {
    if (!this.subscriptions.delete(s.id)) return;
    this.send({ op: 'unsubscribe', id: s.id });
    this.onchange();
  }

  // again subscribes anew, by another number: frames of the last one may be on their
  // way.
  again(s) {
    if (!this.subscriptions.delete(s.id)) return;
    this.send({ op: 'unsubscribe', id: s.id });
    s.id = ++this.lastID;
    this.subscriptions.set(s.id, s);
    if (this.hello) this.send(s.request(this.hello));
  }
}

export { epochOf, numberOf };
