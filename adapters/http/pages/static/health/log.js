// The log by tier.

import { readable } from '../units.js';
import { rowsTable } from './rows.js';
import { Samples } from './samples.js';
import { count, section } from './section.js';
import { smallPlot } from './small-plot.js';

// Return `{element, show(health, zone), draw(zone), end()}`.
export function logSection() {
  const samples = new Samples();
  const table = rowsTable('Log by tier', ['Tier', 'Events', 'Size'], 'Its state is not known now.');
  const plot = smallPlot('Size of the log by tier while you watch', 'bytes');
  const { element } = section({
    title: 'Log', note: 'The partition with the organization’s events: on the log server, in the archive, or in both.',
  }, table.element, plot.element);
  let names = [];

  function show({ at, log }, zone) {
    const tiers = log ?? [];
    if (log !== null) names = tiers.map(({ tier }) => tier);
    const format = readable('bytes').format;
    table.show(tiers.map(({ tier, events, bytes }) => [tier, count(events), format(bytes)]));
    samples.add(Date.parse(at), Object.fromEntries(tiers.map(({ tier, bytes }) => [tier, bytes])));
    draw(zone);
  }

  function draw(zone) {
    plot.show(samples.columns(names), zone);
  }

  return { element, show, draw, end: plot.end };
}
