// A table that is brought up to date in place, so that focus and selection stay.

import { el, setText } from '../dom.js';

// Return `{element, show(rows)}`: a table with these columns, in a region that scrolls. A row is a list
// of texts; the first is the row's header. `empty` is shown instead of no rows.
export function rowsTable(caption, columns, empty) {
  const body = el('tbody');
  const none = el('p', { class: 'note' }, empty);
  const table = el('table', {},
    el('caption', { class: 'visually-hidden' }, caption),
    el('thead', {}, el('tr', {}, ...columns.map((name) => el('th', { scope: 'col' }, name)))), body);
  const region = el('div', { class: 'scrolls', tabindex: 0, role: 'region', 'aria-label': caption }, table);

  function show(rows) {
    while (body.rows.length > rows.length) body.lastChild.remove();
    rows.forEach((texts, number) => {
      if (body.rows.length === number) {
        body.append(el('tr', {}, ...columns.map((_, at) => (at === 0 ? el('th', { scope: 'row' }) : el('td')))));
      }
      texts.forEach((text, at) => setText(body.rows[number].cells[at], text));
    });
    region.hidden = rows.length === 0;
    none.hidden = rows.length > 0;
  }

  show([]);
  return { element: el('div', {}, region, none), show };
}
