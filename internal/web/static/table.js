// Tables of rows: columns that can be ordered by, cells that know the value that they
// show, rows that open.

import { html, nothing } from './vendor/lit-html/lit-html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { figure, marks } from './figure.js';
import { count, heading, named, plain } from './format.js';

// A column is
//   head    its heading
//   field   of the API that the cell shows, or a list of several; see figure.js
//   value   of a row: what the API says there; else the field's value
//   at      of a row: the way to that in the answer, if it is not the row's field
//   of      the question, if it is not that of the rows
//   text    of value and row: what is shown; else plain words
//   kind    number (to the right), address (in a fixed width), state, or words
//   sort    of a row: what to order by, if not the value
//   draw    of value and row: what is shown, if it is more than text; without a field
//           it draws figures of its own

// Order is how a table is ordered; a view keeps one for each of its tables.
export class Order {
  constructor(update, column = null, down = false) {
    Object.assign(this, { update, column, down });
  }

  by(column) {
    if (this.column !== column) [this.column, this.down] = [column, false];
    else if (!this.down) this.down = true;
    else [this.column, this.down] = [null, false];
    this.update();
  }

  apply(rows, columns) {
    const c = columns.find((x) => x.head === this.column);
    if (!c) return rows;
    const of = c.sort ?? ((r) => valueOf(c, r));
    return [...rows].sort((a, b) => compare(of(a), of(b)) * (this.down ? -1 : 1));
  }
}

const valueOf = (c, row) => (c.value ? c.value(row) : row[c.field]);

const collator = new Intl.Collator('en', { numeric: true });

function compare(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return collator.compare(plain(a), plain(b));
}

// matches reports whether some cell of a row, or any of its fields, has all words of
// a filter.
export function matches(row, columns, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const text = columns.map((c) => shown(c, row)).join(' ').toLowerCase();
  return words.every((w) => text.includes(w));
}

function shown(c, row) {
  const value = valueOf(c, row);
  if (c.text) return c.text(value, row);
  return typeof value === 'number' ? count(value) : plain(value);
}

// tone is how a state looks: good, bad, busy or quiet.
export function tone(state) {
  const s = String(state).toLowerCase();
  if (['up', 'full', 'established', 'reachable', 'permanent', 'usable', 'live', '2-way', 'in use', 'done'].includes(s)) return 'good';
  if (['down', 'gone', 'failed', 'admin-down', 'idle', 'duplicate', 'refused', 'unreachable', 'error'].includes(s)) return 'bad';
  if (['init', 'exstart', 'exchange', 'loading', 'connect', 'active', 'opensent', 'openconfirm', 'incomplete', 'attempt', 'probe', 'delay', 'tentative', 'behind', 'reconnecting', 'warn'].includes(s)) return 'busy';
  return 'quiet';
}

// badge is a state as a word with a mark.
export const badge = (state) => html`<span class="badge ${tone(state)}">${state}</span>`;

function cell(c, row, of, at) {
  const value = valueOf(c, row);
  const text = shown(c, row);
  const body = c.draw ? c.draw(value, row) : c.kind === 'state' && value ? badge(text) : text;
  const m = c.at || c.field ? marks(c.of ?? of, c.at ? c.at(row) : [...at(row), c.field], value) : { value };
  return html`<td class=${c.kind ?? 'words'} data-column=${c.head} data-of=${m.of ?? nothing} data-at=${m.at ?? nothing} data-value=${m.value ?? nothing}>${body}</td>`;
}

// table draws rows.
//   name     what they are, for a screen reader
//   columns, rows, key(row), order, filter
//   of       the question that the rows are an answer to; at(row) is the way to a row
//   open     the keys of the rows that are open, a Set; toggle(key) opens and closes
//   detail   of a row: what an open row shows
//   none     what is said if there is no row
export function table({ name, of, at, columns, rows, key, order, filter = '', open, toggle, detail, none = 'There is none.', marked }) {
  const chosen = rows.filter((r) => matches(r, columns, filter));
  if (!chosen.length) return html`<p class="none">${rows.length ? `None of ${count(rows.length)} matches the filter.` : none}</p>`;
  const ordered = order ? order.apply(chosen, columns) : chosen;
  const width = columns.length + (detail ? 1 : 0);
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${name}><table aria-label=${name}>
    <thead><tr>${detail ? html`<th scope="col" class="opener"><span class="unseen">Details</span></th>` : nothing}${columns.map((c) => head(c, order))}</tr></thead>
    ${repeat(ordered, key, (row) => {
      const k = key(row);
      const isOpen = open?.has(k);
      return html`<tbody class=${marked?.(row) ? 'fresh' : ''} data-key=${k}><tr>
        ${detail ? html`<td class="opener"><button type="button" class="fold" aria-expanded=${isOpen ? 'true' : 'false'} aria-label=${`Details of ${k}`} @click=${() => toggle(k)}></button></td>` : nothing}
        ${columns.map((c) => cell(c, row, of, at))}</tr>
        ${isOpen ? html`<tr class="detail"><td colspan=${width}>${detail(row)}</td></tr>` : nothing}</tbody>`;
    })}
  </table></div>`;
}

function head(c, order) {
  const kind = c.kind ?? 'words';
  if (!order) return html`<th scope="col" class=${kind}>${c.head}</th>`;
  const sorted = order.column === c.head ? (order.down ? 'descending' : 'ascending') : 'none';
  return html`<th scope="col" class=${kind} aria-sort=${sorted}><button type="button" @click=${() => order.by(c.head)}>${c.head}</button></th>`;
}

// fields draws all of an object of JSON, as a list of names and values; at is the way
// to the object in the answer to the question of.
export function fields(object, of, at) {
  return html`<dl class="fields">${Object.entries(object).filter(([, v]) => v !== '' && v !== null && v !== undefined).map(([name, v]) => html`
    <div><dt>${heading(name)}</dt><dd>${nested(name, v, of, [...at, name])}</dd></div>`)}</dl>`;
}

function nested(name, v, of, at) {
  if (Array.isArray(v) && v.some((x) => typeof x === 'object' && x !== null)) return html`<ul>${v.map((x, i) => html`<li>${figure(of, [...at, i], x, plain(x))}</li>`)}</ul>`;
  return figure(of, at, v, named(name, v));
}

// finder draws the field of a filter.
export function finder(value, set, label = 'Filter') {
  return html`<label class="finder"><span>${label}</span><input type="search" id="filter" autocomplete="off" spellcheck="false" .value=${value} @input=${(e) => set(e.target.value)}></label>`;
}
