// What a query found: the plot, its legend, the table and the download.

import { el, setText } from '../dom.js';
import { drawPlot } from '../plot.js';
import { formatTime, zoneName } from '../times.js';
import { readable } from '../units.js';
import { isScattered } from './columns.js';
import { csvOf, download } from './csv.js';
import { legend } from './legend.js';
import { tableOf } from './table.js';

export const MOST_DRAWN = 100;

// Return `{element, show(found), clear()}`. `onRange(from, to)` gets a range chosen in the plot.
//
// `found`: `{columns, unit, range, zone, notes, title}`, `unit` null if series have several.
export function results(onRange) {
  const plotted = el('div', { class: 'plot' });
  const readout = el('p', { class: 'note readout' });
  const spoken = el('p', { class: 'visually-hidden', 'aria-live': 'polite' });
  const legends = el('div');
  const notes = el('ul', { class: 'notes' });
  const tables = el('details', { ontoggle: () => tables.open && fillTable() }, el('summary', {}, 'Table'));
  const csv = el('button', { type: 'button', onclick: save }, 'Download CSV');
  const element = el('section', { 'aria-label': 'Result', hidden: true },
    plotted, readout, spoken, legends, notes, el('div', { class: 'row' }, csv), tables);
  let plot = null;
  let found = null;
  let hidden = new Set(); // labels of hidden series: they stay hidden when a plot is drawn anew

  function show(now) {
    const { columns, unit, range, zone, title } = now;
    found = now;
    const drawn = drawnOf(columns);
    const written = drawn.series.map((each) => readable(each.unit));
    plot?.destroy();
    element.hidden = false;
    plot = drawPlot(plotted, {
      ...drawn, unit: unit ?? '', range, zone, onRange, onCursor,
      label: `Plot of ${title}. Arrow keys move the cursor; with Shift they select a range, and Enter shows it.`,
    });
    const keys = legend(drawn, (value, number) => written[number].format(value), (number, visible) => {
      plot.setVisible(number, visible);
      const { label } = drawn.series[number];
      if (visible) hidden.delete(label);
      else hidden.add(label);
    });
    legends.replaceChildren(keys.element);
    const labels = drawn.series.map(({ label }) => label);
    hidden = new Set([...hidden].filter((label) => labels.includes(label)));
    labels.forEach((label, number) => {
      if (hidden.has(label)) keys.element.querySelectorAll('button')[number].click();
    });
    const all = [...now.notes];
    if (drawn.series.length < columns.series.length) {
      all.push(`${columns.series.length - drawn.series.length} of ${columns.series.length} series are left out of the plot `
        + 'and the table. The CSV has all of them.');
    }
    if (isScattered(drawn)) all.push('Most periods with points have none beside them. A longer period connects them.');
    notes.replaceChildren(...all.map((text) => el('li', {}, text)));
    onCursor(null);
    if (tables.open) fillTable();

    function onCursor(index, byKey = false) {
      keys?.read(index);
      const time = index === null ? null : columns.times[index];
      setText(readout, time === null ? `Times are in ${zoneName(zone)}. Drag across the plot to choose a range.`
        : `${formatTime(time, zone)} ${zoneName(zone)}`);
      if (byKey && time !== null) {
        const said = drawn.series.slice(0, 5).map(({ label, values }, number) =>
          `${label} ${Number.isFinite(values[index]) ? written[number].format(values[index]) : 'no value'}`);
        setText(spoken, `${formatTime(time, zone)}: ${said.join('; ')}`);
      }
    }
  }

  function fillTable() {
    tables.querySelector('div')?.remove();
    tables.append(tableOf(drawnOf(found.columns), found.zone));
  }

  function save() {
    const name = found.title.replace(/[^\w.-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 80) || 'metrics';
    download(`${name}.csv`, csvOf(found.columns));
  }

  function clear() {
    plot?.destroy();
    plot = null;
    found = null;
    tables.open = false;
    tables.querySelector('div')?.remove();
    element.hidden = true;
  }

  return { element, show, clear };
}

function drawnOf({ times, series }) {
  return { times, series: series.slice(0, MOST_DRAWN) };
}
