// The fields of the range and the period, and following the latest points.

import { el, labelled, selectOf } from '../dom.js';
import { fieldValue, formatDuration, parseDuration, parseField, zoneName } from '../times.js';
import { PERIODS, PRESETS, fittingPeriod, rangeOf } from './periods.js';

const FIXED = 'fixed';

// Return `{element, show(state)}`.
export function rangeForm(state) {
  const preset = selectOf([...PRESETS, [FIXED, 'Fixed range']], '1h', { onchange: choosePreset });
  const from = el('input', { type: 'datetime-local', step: 1, onkeydown: applyAtEnter });
  const to = el('input', { type: 'datetime-local', step: 1, onkeydown: applyAtEnter });
  const error = el('p', { class: 'error', role: 'alert' });
  const period = el('select', { onchange: () => state.update({ period: period.value }) });
  const live = el('button', { type: 'button', class: 'toggle', 'aria-pressed': 'false', onclick: toggleLive }, 'Live');
  const [fromField, toField] = [labelled('From', from), labelled('To', to)];
  const move = (text, label, change) => el('button', { type: 'button', 'aria-label': label, title: label,
    onclick: () => fixed(change(current())) }, text);
  const element = el('div', { class: 'row', role: 'group', 'aria-label': 'Time' },
    labelled('Range', preset), fromField, toField,
    el('button', { type: 'button', onclick: apply }, 'Apply'),
    move('◀', 'Earlier', ([start, end]) => [start - (end - start) / 2, end - (end - start) / 2]),
    move('▶', 'Later', ([start, end]) => [start + (end - start) / 2, end + (end - start) / 2]),
    move('−', 'Zoom out', ([start, end]) => [start - (end - start) / 2, end + (end - start) / 2]),
    move('+', 'Zoom in', ([start, end]) => [start + (end - start) / 4, end - (end - start) / 4]),
    labelled('Period', period), live, error);

  function current() {
    return rangeOf(state.current, Date.now()) ?? [Date.now() - 3_600_000, Date.now()];
  }

  function choosePreset() {
    if (preset.value === FIXED) fixed(current());
    else state.update({ last: preset.value, from: '', to: '' });
  }

  function apply() {
    const { zone } = state.current;
    const [start, end] = [parseField(from.value, zone), parseField(to.value, zone)];
    error.textContent = start === null || end === null ? 'Enter the date and time of both ends.'
      : end <= start ? 'The end must be after the start.' : '';
    if (error.textContent === '') fixed([start, end]);
  }

  function applyAtEnter(event) {
    if (event.key === 'Enter') apply();
  }

  // Fixed ranges have whole seconds, as the fields do.
  function fixed([start, end]) {
    const first = Math.max(0, Math.floor(start / 1000)) * 1000;
    const last = Math.max(first + 1000, Math.ceil(end / 1000) * 1000);
    error.textContent = '';
    state.update({ from: new Date(first).toISOString(), to: new Date(last).toISOString(), live: '' });
  }

  function toggleLive() {
    if (state.current.live) return state.update({ live: '' });
    // What follows the latest points ends now: a fixed range becomes one as long.
    const { last } = state.current;
    const [start, end] = current();
    const isFixed = Boolean(state.current.from) || last === 'yesterday';
    return state.update({ live: '1', last: isFixed ? formatDuration(end - start) : last, from: '', to: '' });
  }

  function show(now) {
    const range = current();
    const isFixed = Boolean(now.from && now.to);
    preset.querySelector('[data-other]')?.remove();
    if (!isFixed && !PRESETS.some(([key]) => key === now.last)) {
      preset.prepend(el('option', { value: now.last, 'data-other': true }, `Last ${now.last}`));
    }
    preset.value = isFixed ? FIXED : now.last;
    for (const [field, input, time] of [[fromField, from, range[0]], [toField, to, range[1]]]) {
      field.firstChild.textContent = `${input === from ? 'From' : 'To'} (${zoneName(now.zone)})`;
      if (document.activeElement !== input) input.value = fieldValue(time, now.zone);
    }
    const offered = now.period && !PERIODS.includes(now.period) && parseDuration(now.period) ? [now.period, ...PERIODS] : PERIODS;
    period.replaceChildren(...[['', `auto: ${fittingPeriod(range)}`], ...offered.map((each) => [each, each])]
      .map(([value, text]) => el('option', { value }, text)));
    period.value = now.period;
    live.setAttribute('aria-pressed', String(Boolean(now.live)));
  }

  return { element, show, fixed };
}
