// Points per second, accepted and refused, over the last hour.

import { el, setText } from '../dom.js';
import { readable } from '../units.js';
import { section } from './section.js';
import { smallPlot } from './small-plot.js';

// Return `{element, show(health, zone), end()}`.
export function pointsSection() {
  const now = el('p', { class: 'figure' });
  const quota = el('p', { class: 'note' });
  const series = el('p', { class: 'note' });
  const plot = smallPlot('Points per second in the last hour, by minute', '');
  const { element } = section({
    title: 'Points per second', note: 'Accepted and refused, by the minute in which they arrived.',
  }, now, quota, series, plot.element);

  function show({ minutes, quota: limit, series: active }, zone) {
    const complete = minutes.slice(0, -1); // the current minute is not over
    const rates = complete.map(({ accepted }) => accepted / 60);
    const format = readable('').format;
    setText(now, `${format(rates.at(-1))} points/s in the last full minute`);
    setText(quota, limit === null ? 'There is no quota.'
      : `The quota is ${format(limit.points_per_second)} points/s, with bursts of ${format(limit.burst)} points.`);
    setText(series, active === null ? 'There is no limit of series.'
      : `${format(active.active)} series are active, of at most ${format(active.limit)}.`);
    plot.show({
      times: complete.map(({ time }) => Date.parse(time)),
      series: [
        { label: 'accepted', values: rates },
        { label: 'refused', values: complete.map(({ refused }) => sum(Object.values(refused)) / 60) },
      ],
    }, zone);
  }

  return { element, show, end: plot.end };
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
