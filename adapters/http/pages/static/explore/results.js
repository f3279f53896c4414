// What a query found: the plot, its legend, the table and the download.

import { el, setText } from '../dom.js';
import { drawPlot } from '../plot.js';
import { formatTime, zoneName } from '../times.js';
import { readable } from '../units.js';
import { isScattered } from './columns.js';
import { csvOf, download } from './csv.js';
import { legend } from './legend.js';
import { tableOf } from './table.js';

const MOST_DRAWN = 100; // series
const MOST_SPOKEN = 5; // series whose values are read out

// Return `{element, show(found), clear()}`. `onRange(from, to)` gets a range chosen in the plot.
//
// `found`: `{columns, unit, range, zone, notes, title}`, `unit` null if series have several. Other
// values of what is shown replace only the values: whoever reads the plot or the legend stays there.
export function results(onRange) {
  const plotted = el('div', { class: 'plot' });
  const readout = el('p', { class: 'note readout' });
  const spoken = el('p', { class: 'visually-hidden', 'aria-live': 'polite' });
  const legends = el('div');
  const notes = el('ul', { class: 'notes' });
  const tables = el('details', { ontoggle: () => fillTable() }, el('summary', {}, 'Table'));
  const csv = el('button', { type: 'button', onclick: save }, 'Download CSV');
  const element = el('section', { 'aria-label': 'Result', hidden: true },
    plotted, readout, spoken, legends, notes, el('div', { class: 'row' }, csv), tables);
  const hidden = new Set(); // labels of hidden series: they stay hidden when they are drawn anew
  let plot = null;
  let keys = null; // the legend
  let table = null;
  let found = null;
  let drawn = null; // the first columns of what was found
  let written = []; // how the values of each series are written
  let shape = ''; // what is drawn, without its values

  function show(now) {
    found = now;
    const { columns, range } = now;
    drawn = { times: columns.times, series: columns.series.slice(0, MOST_DRAWN) };
    element.hidden = false;
    const wanted = shapeOf(now);
    if (wanted === shape) {
      plot.update({ ...drawn, range });
      keys.update(drawn.series);
    } else {
      shape = wanted;
      drawAnew();
    }
    notes.replaceChildren(...notesOf(now).map((text) => el('li', {}, text)));
    onCursor(null);
    fillTable();
  }

  function shapeOf({ unit, zone, title }) {
    return JSON.stringify([unit, zone, title, drawn.series.map(({ label, unit: own, unconnected }) => [label, own, unconnected])]);
  }

  function drawAnew() {
    const { unit, range, zone, title } = found;
    written = drawn.series.map((each) => readable(each.unit));
    plot?.destroy();
    plot = drawPlot(plotted, {
      ...drawn, unit: unit ?? '', range, zone, onRange, onCursor,
      label: `Plot of ${title}. Arrow keys move the cursor; with Shift they select a range, and Enter shows it.`,
    });
    keys = legend(drawn, (value, number) => written[number].format(value), (number, visible) => {
      plot.setVisible(number, visible);
      const { label } = drawn.series[number];
      if (visible) hidden.delete(label);
      else hidden.add(label);
    });
    legends.replaceChildren(keys.element);
    const labels = drawn.series.map(({ label }) => label);
    for (const label of [...hidden]) {
      const number = labels.indexOf(label);
      if (number < 0) hidden.delete(label);
      else keys.hide(number);
    }
  }

  function notesOf({ columns, notes: said }) {
    const all = [...said];
    const left = columns.series.length - drawn.series.length;
    if (left > 0) {
      all.push(`${left} of ${columns.series.length} series are left out of the plot and the table. The CSV has all of them.`);
    }
    if (isScattered(drawn)) all.push('Most periods with points have none beside them. A longer period connects them.');
    return all;
  }

  function onCursor(index, byKey = false) {
    if (keys === null) return;
    const { zone } = found;
    keys.read(index);
    const time = index === null ? null : drawn.times[index];
    setText(readout, time === null ? `Times are in ${zoneName(zone)}. Drag across the plot to choose a range.`
      : `${formatTime(time, zone)} ${zoneName(zone)}`);
    if (byKey && time !== null) {
      const said = drawn.series.slice(0, MOST_SPOKEN).map(({ label, values }, number) =>
        `${label} ${Number.isFinite(values[index]) ? written[number].format(values[index]) : 'no value'}`);
      setText(spoken, `${formatTime(time, zone)}: ${said.join('; ')}`);
    }
  }

  function fillTable() {
    if (!tables.open || found === null) return;
    const before = tables.querySelector('.scrolls');
    const [top, left, focused] = [before?.scrollTop ?? 0, before?.scrollLeft ?? 0, before === document.activeElement];
    const next = tableOf(drawn, found.zone, table?.rows());
    table?.element.remove();
    table = next;
    tables.append(table.element);
    const scrolls = tables.querySelector('.scrolls');
    scrolls.scrollTo(left, top);
    if (before && focused) scrolls.focus();
  }

  function save() {
    const name = found.title.replace(/[^\w.-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 80) || 'metrics';
    download(`${name}.csv`, csvOf(found.columns));
  }

  function clear() {
    plot?.destroy();
    table?.element.remove();
    [plot, keys, table, found, shape] = [null, null, null, null, ''];
    tables.open = false;
    element.hidden = true;
  }

  return { element, show, clear };
}
