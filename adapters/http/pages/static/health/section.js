// A part of the view, with a heading and its own error.

import { el, newId, setText } from '../dom.js';

// Return `{element, error(text)}`. A wide one takes all columns.
export function section({ title, note, wide = false }, ...content) {
  const id = newId('section');
  const alert = el('p', { class: 'error', role: 'alert' });
  const element = el('section', { class: wide ? 'card wide' : 'card', 'aria-labelledby': id },
    el('h3', { id }, title), el('p', { class: 'note' }, note), alert, ...content);
  return { element, error: (text) => setText(alert, text) };
}

// Return a count with separators between thousands.
export function count(number) {
  return new Intl.NumberFormat('en').format(number);
}

// Return the text of a failed request, and for a 403 what it needs.
export function failureText(failure, scope) {
  return failure.status === 403
    ? `${failure.message}. This needs a token of the organization with the scope “${scope}”.` : failure.message;
}
