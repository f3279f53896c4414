// The legend: a button per series that hides and shows it, with its value at the cursor.

import { el, setText } from '../dom.js';
import { COLOURS } from '../plot.js';

// Return `{element, read(index), update(series), hide(number)}`. `read` shows the values at an index,
// or for null the last ones; `update` takes other values of the same series.
// `format(value, number)` writes a value; `onToggle(number, visible)` is called for each change.
export function legend(drawn, format, onToggle) {
  let { series } = drawn;
  const visible = series.map(() => true);
  const entries = series.map(({ label }, number) => {
    const swatch = el('span', { class: 'swatch', 'aria-hidden': 'true' });
    swatch.style.setProperty('--colour', `var(--series-${(number % COLOURS) + 1})`);
    const value = el('span', { class: 'value' });
    const button = el('button', { type: 'button', 'aria-pressed': 'true', title: 'Hide or show; with Shift, show only this',
      onclick: (event) => (event.shiftKey ? only(number) : toggle(number)) },
    swatch, el('span', { class: 'label' }, label), value);
    return { button, value };
  });
  let lasts = [];
  const element = el('ul', { class: 'legend', 'aria-label': 'Series' },
    ...entries.map(({ button }) => el('li', {}, button)));

  function set(number, shown) {
    if (visible[number] === shown) return;
    visible[number] = shown;
    entries[number].button.setAttribute('aria-pressed', String(shown));
    onToggle(number, shown);
  }

  function toggle(number) {
    set(number, !visible[number]);
  }

  function only(number) {
    const alone = visible.every((shown, each) => shown === (each === number));
    series.forEach((_, each) => set(each, alone || each === number));
  }

  function read(index) {
    entries.forEach(({ value }, number) => {
      const shown = index === null ? lasts[number] : series[number].values[index];
      setText(value, shown === null || shown === undefined ? '–' : format(shown, number));
    });
  }

  function update(now) {
    series = now;
    lasts = series.map(({ values }) => values.findLast((value) => value !== null && value !== undefined));
    read(null);
  }

  update(series);
  return { element, read, update, hide: (number) => set(number, false) };
}


