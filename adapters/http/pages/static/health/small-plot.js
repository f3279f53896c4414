// A small plot with a key to its lines, which is drawn anew with each answer.

import { el, setText } from '../dom.js';
import { colourOf, drawPlot } from '../plot.js';
import { formatTime } from '../times.js';
import { readable } from '../units.js';

const HEIGHT = 150;

// Return `{element, show(columns, zone), end()}`. `columns` is `{times, series}`; `label` says what is
// plotted, in a unit of units.js. While a value is read at the cursor, the plot stays as it is.
export function smallPlot(label, unit) {
  const format = readable(unit).format;
  const canvas = el('div', { class: 'plot' });
  const keys = el('ul', { class: 'keys' });
  const element = el('div', {}, canvas, keys);
  let plot = null;
  let drawn = null; // {columns, zone} of the plot
  let waiting = null; // what to draw once nobody reads a value
  let reading = false;

  function show(columns, zone) {
    waiting = { columns, zone };
    if (!reading) draw();
  }

  function draw() {
    drawn = waiting;
    waiting = null;
    plot?.destroy();
    plot = drawPlot(canvas, { ...drawn.columns, zone: drawn.zone, unit, label, height: HEIGHT, onCursor });
    showKeys(null);
  }

  function onCursor(index) {
    reading = index !== null;
    showKeys(index);
    // Not within uPlot's own call.
    if (!reading && waiting !== null) queueMicrotask(() => waiting !== null && !reading && draw());
  }

  function showKeys(index) {
    const { columns: { times, series }, zone } = drawn;
    const at = index ?? times.length - 1;
    const time = index === null ? '' : formatTime(times[index], zone);
    while (keys.childElementCount < series.length + 1) keys.append(el('li'));
    while (keys.childElementCount > series.length + 1) keys.lastChild.remove();
    setText(keys.lastChild, time);
    series.forEach((each, number) => {
      const value = each.values[at] ?? null;
      const item = keys.children[number];
      if (item.childElementCount !== 2) item.replaceChildren(el('span', { class: 'swatch', 'aria-hidden': 'true' }), el('span'));
      item.firstChild.style.setProperty('--colour', colourOf(number));
      setText(item.lastChild, `${each.label} ${value === null ? '–' : format(value)}`);
    });
  }

  return { element, show, end: () => plot?.destroy() };
}
