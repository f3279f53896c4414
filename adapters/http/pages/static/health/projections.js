// The projections: state, and lag behind the organization's events.

import { el, setText } from '../dom.js';
import { readable } from '../units.js';
import { rowsTable } from './rows.js';
import { Samples } from './samples.js';
import { count, section } from './section.js';
import { smallPlot } from './small-plot.js';

// Return `{element, show(health, zone), draw(zone), end()}`.
export function projectionsSection() {
  const samples = new Samples();
  const table = rowsTable('State of the projections', ['Projection', 'State', 'Lag', 'Events to read'], 'Their state is not known now.');
  const reasons = el('p', { class: 'banner', role: 'status' });
  const plot = smallPlot('Lag of the projections while you watch', 's');
  const { element } = section({
    title: 'Projections', note: 'What was published can be read once the projections have read it.',
  }, reasons, table.element, plot.element);
  let names = [];

  function show({ at, projections }, zone) {
    const found = projections ?? [];
    if (projections !== null) names = found.map(({ name }) => name);
    const format = readable('s').format;
    table.show(found.map((each) => [each.name, each.state, format(each.lag_seconds), count(each.lag_events)]));
    setText(reasons, found.filter(({ reason }) => reason !== null)
      .map(({ name, reason }) => `${name} is stopped: ${reason}.`).join(' '));
    samples.add(Date.parse(at), Object.fromEntries(found.map((each) => [each.name, each.lag_seconds])));
    draw(zone);
  }

  function draw(zone) {
    plot.show(samples.columns(names), zone);
  }

  return { element, show, draw, end: plot.end };
}
