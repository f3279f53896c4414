// The columns as a table, the latest time first, a page of rows at a time.

import { el } from '../dom.js';
import { formatTime, zoneName } from '../times.js';

const PAGE = 100;

// Return the table of `{times, series}` in a zone, with a button for more rows.
export function tableOf({ times, series }, zone) {
  const body = el('tbody');
  const status = el('p', { class: 'note', role: 'status' });
  const more = el('button', { type: 'button', onclick: () => addRows() }, `Show ${PAGE} more rows`);
  let shown = 0;

  function addRows() {
    const until = Math.min(shown + PAGE, times.length);
    for (; shown < until; shown += 1) {
      const at = times.length - 1 - shown;
      body.append(el('tr', {}, el('th', { scope: 'row' }, formatTime(times[at], zone)),
        ...series.map(({ values }) => el('td', {}, String(values[at] ?? '')))));
    }
    status.textContent = `${shown} of ${times.length} rows, the latest first`;
    more.hidden = shown === times.length;
  }

  addRows();
  const table = el('table', {},
    el('caption', { class: 'visually-hidden' }, 'The values of the plot'),
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, `Time (${zoneName(zone)})`),
      ...series.map(({ label }) => el('th', { scope: 'col' }, label)))),
    body);
  return el('div', {}, status,
    el('div', { class: 'scrolls', tabindex: 0, role: 'region', 'aria-label': 'Table of values' }, table), more);
}
