// Figures: what the API says, marked where it is shown, so that a reader of the page, a
// program too, finds the same in the API's answer.

import { html, nothing } from './vendor/lit-html/lit-html.js';

// marks are the attributes of an element that shows a figure:
//   data-of     the question: a noun below /v1/ with its parameters
//   data-at     the way to the figure in the answer, a list of JSON. A name is that of a
//               field, a number that of an element, an object is of the element that has
//               the same fields, a list at the end is of several fields together
//   data-value  the figure as the API has it; of a list or an object, its JSON
export function marks(of, at, value) {
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '');
  return { of, at: JSON.stringify(at), value: text };
}

// figure draws one in running text.
export function figure(of, at, value, shown = value) {
  if (value === undefined) return nothing;
  const m = marks(of, at, value);
  return html`<span data-of=${m.of} data-at=${m.at} data-value=${m.value}>${shown}</span>`;
}
