// The view that finds a metric and draws it.

import { counted, el, setText } from '../dom.js';
import { formatDuration, formatTime, parseDuration, zoneName } from '../times.js';
import { Catalog } from './catalog.js';
import { columnsOf } from './columns.js';
import { pauseFor, repeater } from './live.js';
import { latestPoint, load } from './loading.js';
import { metricForm } from './metric-form.js';
import { fittingPeriod, rangeOf } from './periods.js';
import { promqlForm } from './promql-form.js';
import { asPromql, formatBeside, isComplete, nameOf, parseBeside, queryOf } from './query.js';
import { rangeForm } from './range-form.js';
import { results } from './results.js';

// The parts of the state that another answer depends on.
const QUERY = { metric: ['metric', 'tags', 'aggregator', 'by'], promql: ['promql'] };
const ASKED = ['mode', 'period', 'last', 'from', 'to', 'beside'];

// Show the view in an element. Returns a function that ends it.
export function showExplore(element, session, state) {
  const catalog = new Catalog(session);
  const range = () => rangeOf(state.current, Date.now()) ?? [Date.now() - 3_600_000, Date.now()];
  const byMetric = metricForm(catalog, state, range);
  const byPromql = promqlForm(catalog, state, range);
  const ranges = rangeForm(state);
  const result = results((from, to) => ranges.fixed([from, to]));
  const modes = ['metric', 'promql'].map((mode) => el('button', {
    type: 'button', class: 'toggle', 'data-mode': mode, onclick: () => choose(mode),
  }, mode === 'metric' ? 'Metric' : 'PromQL'));
  const edit = el('button', { type: 'button', onclick: editAsPromql }, 'Edit as PromQL');
  const keep = el('button', { type: 'button', onclick: keepBeside }, 'Keep in the plot');
  const beside = el('ul', { class: 'chips', 'aria-label': 'Also in the plot' });
  const stale = el('p', { class: 'banner', role: 'status' });
  const error = el('p', { class: 'error', role: 'alert' });
  const status = el('p', { class: 'note', role: 'status' });
  const help = el('div', { class: 'note' });
  const following = el('p', { class: 'note', role: 'status' });
  element.replaceChildren(
    el('h2', { class: 'visually-hidden' }, 'Explore'),
    el('div', { class: 'row' }, el('div', { class: 'modes', role: 'group', 'aria-label': 'Ask by' }, ...modes), edit, keep),
    byMetric.element, byPromql.element, beside, ranges.element,
    stale, error, status, following, help, result.element,
  );

  let asked = null; // what the answer that is shown or awaited depends on
  let found = null;
  let running = null; // an AbortController
  const again = repeater(() => ask(), showFollowing);

  function choose(mode) {
    if (state.current.mode !== mode) state.update({ mode });
    (mode === 'promql' ? byPromql : byMetric).focus();
  }

  function editAsPromql() {
    const query = queryOf(state.current);
    state.update({ mode: 'promql', promql: asPromql(query, catalog.find(query.metric)?.type) });
    byPromql.focus();
  }

  function keepBeside() {
    const query = formatBeside(queryOf(state.current));
    if (!state.current.beside.includes(query)) state.update({ beside: [...state.current.beside, query] });
  }

  function sync() {
    const now = state.current;
    const query = queryOf(now);
    byMetric.show(now);
    byPromql.show(now);
    ranges.show(now);
    byMetric.element.hidden = query.mode !== 'metric';
    byPromql.element.hidden = query.mode !== 'promql';
    edit.hidden = query.mode !== 'metric' || query.metric === '';
    keep.hidden = !isComplete(query);
    document.title = isComplete(query) ? `${nameOf(query)} – CAVE` : 'CAVE';
    modes.forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.mode === query.mode)));
    beside.replaceChildren(...now.beside.map((text) => {
      const name = nameOf(parseBeside(text));
      return el('li', {}, `${name} `, el('button', { type: 'button', 'aria-label': `Remove ${name} from the plot`,
        onclick: () => state.update({ beside: state.current.beside.filter((each) => each !== text) }) }, '×'));
    }));
    const isOfZone = now.last === 'today' || now.last === 'yesterday';
    const wanted = JSON.stringify([...ASKED, ...QUERY[query.mode], ...(isOfZone ? ['zone'] : [])].map((name) => now[name]));
    if (wanted !== asked) {
      asked = wanted;
      ask();
    } else {
      draw();
      if (now.live) again.after(pauseFor(found?.period ?? 0));
    }
    showFollowing();
  }

  // Ask for all queries and show what they found. Later calls replace earlier ones.
  async function ask() {
    running?.abort();
    const current = new AbortController();
    running = current;
    const now = state.current;
    const queries = [...now.beside.map(parseBeside), queryOf(now)].filter(isComplete);
    const asOf = rangeOf(now, Date.now());
    setText(error, '');
    help.replaceChildren();
    if (queries.length === 0 || asOf === null) return showNothing(asOf);
    let staleSince = '';
    const options = {
      signal: current.signal,
      onRetry: ({ message, seconds }) => setText(status, `${message} Asking again in ${seconds} s.`),
      onStale: (time) => { staleSince = time; },
    };
    if (found === null) setText(status, 'Asking …');
    element.setAttribute('aria-busy', 'true');
    try {
      const period = now.period || fittingPeriod(asOf);
      const loaded = await Promise.all(queries.map((query) => load(session, catalog, query, asOf, period, options)));
      const columns = columnsOf(loaded, queries.map(nameOf));
      const notes = [...new Set(loaded.flatMap((each) => each.notes))];
      found = { columns, notes, range: asOf, title: queries.map(nameOf).join(', '), unit: commonUnit(loaded), period: parseDuration(period) };
      byMetric.show(state.current); // the catalog may have been read meanwhile
      draw();
      if (columns.series.length === 0) await showEmpty(queries, options);
    } catch (failure) {
      if (current.signal.aborted) return undefined;
      found = null;
      result.clear();
      setText(status, '');
      setText(error, failure.message);
    }
    if (running !== current) return undefined;
    element.removeAttribute('aria-busy');
    setText(stale, staleSince
      ? `This projection is stopped: points published after ${formatTime(Date.parse(staleSince), now.zone)} `
        + `${zoneName(now.zone)} are missing.` : '');
    if (state.current.live) again.after(pauseFor(found?.period ?? 0));
    return undefined;
  }

  function draw() {
    if (found === null) return;
    const { columns, range: shown, period } = found;
    const { zone } = state.current;
    if (columns.series.length === 0) {
      result.clear();
      setText(status, 'No points in this range.');
      return;
    }
    result.show({ ...found, zone });
    // What changes every few seconds is not read out each time.
    status.setAttribute('aria-live', state.current.live ? 'off' : 'polite');
    setText(status, `${counted(columns.series.length, 'series')}, ${counted(columns.times.length, 'time')} from `
      + `${toSecond(shown[0], zone)} to ${toSecond(shown[1], zone)} ${zoneName(zone)}, period ${formatDuration(period)}`);
  }

  function showNothing(asOf) {
    found = null;
    result.clear();
    setText(status, asOf === null ? '' : 'Choose a metric, or ask in PromQL.');
    if (asOf === null) setText(error, 'The range in the address is invalid. Choose another one.');
    return undefined;
  }

  // Say what to do about an empty answer, and where the latest point is.
  async function showEmpty(queries, options) {
    help.replaceChildren(...['Choose a longer or another range, remove filters, or check the name.', ...found.notes]
      .map((text) => el('p', {}, text)));
    const query = queries.at(-1);
    if (query.mode !== 'metric') return;
    const latest = await latestPoint(session, query, options);
    if (latest === null) {
      help.append(el('p', {}, 'No point was ever stored with these tags.'));
      return;
    }
    const { zone } = state.current;
    help.append(el('p', {}, `The latest point is of ${formatTime(latest, zone)} ${zoneName(zone)}. `,
      el('button', { type: 'button', onclick: () => ranges.fixed([latest - 1_800_000, latest + 1_800_000]) }, 'Go there')));
  }

  function showFollowing() {
    const { live } = state.current;
    setText(following, !live ? '' : document.hidden ? 'Live: paused while the page is hidden.' : 'Live: following the latest points.');
  }

  state.addEventListener('change', sync);
  // Until the names are known, the form cannot offer tags.
  catalog.all().then(() => byMetric.show(state.current), (failure) => setText(error, failure.message));
  sync();
  if (!isComplete(queryOf(state.current))) (state.current.mode === 'promql' ? byPromql : byMetric).focus();
  return () => {
    state.removeEventListener('change', sync);
    again.stop();
    running?.abort();
    result.clear();
    element.replaceChildren();
  };
}

function toSecond(time, zone) {
  return formatTime(Math.floor(time / 1000) * 1000, zone);
}

// Return the unit that all series have, null if they have several.
function commonUnit(loaded) {
  const units = new Set(loaded.filter(({ series }) => series.length > 0).map(({ unit }) => unit));
  return units.size === 1 ? [...units][0] : null;
}
