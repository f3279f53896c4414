// The columns as a table, the latest time first, a page of rows at a time.

import { el } from '../dom.js';
import { formatTime, zoneName } from '../times.js';

const PAGE = 100;

// Return `{element, rows()}`: the table of `{times, series}` in a zone, with a button for more rows,
// and how many it shows. It begins with `least` rows, if there are so many.
export function tableOf({ times, series }, zone, least = PAGE) {
  const body = el('tbody');
  const status = el('p', { class: 'note', role: 'status' });
  const more = el('button', { type: 'button', onclick: () => addRows() }, `Show ${PAGE} more rows`);
  let shown = 0;

  function addRows(count = PAGE) {
    const until = Math.min(shown + count, times.length);
    for (; shown < until; shown += 1) {
      const at = times.length - 1 - shown;
      body.append(el('tr', {}, el('th', { scope: 'row' }, formatTime(times[at], zone)),
        ...series.map(({ values }) => el('td', {}, String(values[at] ?? '')))));
    }
    status.textContent = `${shown} of ${times.length} rows, the latest first`;
    more.hidden = shown === times.length;
  }

  addRows(Math.max(PAGE, least));
  const table = el('table', {},
    el('caption', { class: 'visually-hidden' }, 'The values of the plot'),
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, `Time (${zoneName(zone)})`),
      ...series.map(({ label }) => el('th', { scope: 'col' }, label)))),
    body);
  const element = el('div', {}, status,
    el('div', { class: 'scrolls', tabindex: 0, role: 'region', 'aria-label': 'Table of values' }, table), more);
  return { element, rows: () => shown };
}
