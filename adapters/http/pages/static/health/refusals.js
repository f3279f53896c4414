// Refused points: by protocol and reason, and the last ones with what is wrong with each.

import { el, setText } from '../dom.js';
import { formatTime, zoneName } from '../times.js';
import { rowsTable } from './rows.js';
import { count, failureText, section } from './section.js';
import { smallPlot } from './small-plot.js';

const PAGE = 50;
const MINUTE = 60_000;

// Return `{element, show(health, zone), update(health, options), end()}`. `update` asks for the last
// refused points, but only if there are new ones, and not again once the token may not see them.
export function refusalsSection(session, path) {
  const totals = rowsTable('Refused points of the last hour', ['Protocol', 'Reason', 'Points'], 'No point was refused in the last hour.');
  const plot = smallPlot('Refused points per minute in the last hour, by reason', '');
  const last = rowsTable('Last refused points', ['Time', 'Protocol', 'Reason', 'Where', 'What is wrong', 'Points', 'Team', 'Token'],
    'No refused points are kept.');
  const shownRows = el('p', { class: 'note' });
  const more = el('button', { type: 'button', onclick: () => { limit += PAGE; draw(); } }, `Show ${PAGE} more`);
  const listed = el('div', { hidden: true }, shownRows, last.element, more);
  const { element, error } = section({
    title: 'Refused points', note: 'Refused one by one, while the rest of their body was stored.', wide: true,
  }, totals.element, plot.element, el('h4', {}, 'Last refused points'), listed);
  let refused = null;
  let limit = PAGE;
  let known = null; // the refusals by minute that `refused` belongs to
  let permitted = true;
  let zone = 'local';

  function show({ minutes, refused: counts }, given) {
    zone = given;
    totals.show(counts.map(({ protocol, reason, points }) => [protocol, reason, count(points)]));
    const reasons = [...new Set(counts.map(({ reason }) => reason))].sort();
    const complete = minutes.slice(0, -1);
    plot.element.hidden = reasons.length === 0;
    if (reasons.length > 0) {
      plot.show({
        times: complete.map(({ time }) => Date.parse(time)),
        series: reasons.map((label) => ({ label, values: complete.map((minute) => minute.refused[label] ?? 0) })),
      }, zone);
    }
    draw();
  }

  function draw() {
    if (refused === null) return;
    last.show(refused.slice(0, limit).map((each) => [formatTime(Date.parse(each.time), zone), each.protocol, each.reason,
      each.place, each.detail, count(each.points), each.team ?? '–', each.token_id]));
    setText(shownRows, refused.length === 0 ? ''
      : `${Math.min(limit, refused.length)} of ${refused.length}, the newest first; times are ${zoneName(zone)}`);
    more.hidden = limit >= refused.length;
    listed.hidden = false;
  }

  async function update({ minutes }, options) {
    const now = JSON.stringify(minutes.filter((minute) => Object.keys(minute.refused).length > 0)
      .map((minute) => [Date.parse(minute.time) / MINUTE, minute.refused]));
    if (!permitted || now === known) return;
    try {
      ({ refused } = await session.request(`${path}/refused`, {}, options));
      known = now;
      error('');
      draw();
    } catch (failure) {
      if (failure.name === 'AbortError') return;
      permitted = failure.status !== 403;
      error(failureText(failure, 'admin'));
    }
  }

  return { element, show, update, end: plot.end };
}
