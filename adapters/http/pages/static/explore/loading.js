// Asks the API for a query's series.
//
// With `by`, each value of the tag is a query of its own: percentiles of the whole are then exact,
// which PromQL's quantiles of quantiles are not.

import { parseDuration } from '../times.js';
import { unitOf } from '../units.js';
import { RAW, countsPoints, formatTag, nameOf } from './query.js';
import { aligned } from './periods.js';
import { seriesName } from './selectors.js';

const MOST_VALUES = 20; // values of a tag that are asked for
const MOST_BUCKETS = 1440; // the API's limit
const AT_ONCE = 4;

// Return `{series, period, notes, unit, isRaw}` of a query. `series` are `{label, points}`, points a
// Map from milliseconds to values (raw points: a list of pairs); `notes` say what is not shown.
// Throws ApiError, and an error if the period is none.
export async function load(session, catalog, query, range, periodText, options) {
  const period = parseDuration(periodText);
  if (!period) throw new Error(`the period ${periodText} is no duration, such as 30s, 5m or 1h`);
  if (query.mode === 'promql') return loadPromql(session, query, range, period, options);
  return query.by ? loadBy(session, catalog, query, range, period, options)
    : loadOne(session, catalog, query, range, period, options);
}

async function loadPromql(session, query, range, period, options) {
  // Steps are multiples of the period: while a plot follows, its values stay.
  const [from, to] = range.map((time) => Math.floor(time / period) * period);
  const { data, warnings = [], infos = [] } = await session.request(`${session.ownerPath}/prometheus/api/v1/query_range`, {
    query: query.promql, start: from / 1000, end: to / 1000, step: period / 1000,
  }, options);
  const series = data.result.map(({ metric, values }) => ({
    label: seriesName(metric),
    points: new Map(values.map(([time, value]) => [Math.round(time * 1000), numberOf(value)])),
  }));
  return { series, period, grid: [from, to + period], notes: [...warnings, ...infos], unit: '', isRaw: false };
}

// Return the number that the API wrote as text.
function numberOf(text) {
  return { '+Inf': Infinity, '-Inf': -Infinity }[text] ?? Number(text);
}

async function loadOne(session, catalog, query, range, period, options) {
  const read = await readMetric(session, query, query.tags, range, period, options);
  const series = read.points.length === 0 ? [] : [{ label: nameOf(query), points: read.points }];
  return await described(catalog, query, range, period, series, read.cut);
}

async function loadBy(session, catalog, query, range, period, options) {
  const fixed = query.tags.find(({ name }) => name === query.by);
  const others = query.tags.filter(({ name }) => name !== query.by);
  const [values, without] = fixed ? [[fixed.value], false] : await Promise.all([
    catalog.tagValues(query.metric, others, query.by, range, options),
    catalog.hasSeriesWithout(query.metric, others, query.by, range, options),
  ]);
  const asked = values.slice(0, MOST_VALUES);
  const reads = await inTurn(asked, AT_ONCE, (value) =>
    readMetric(session, query, [...others, { name: query.by, value }], range, period, options));
  const series = asked
    .map((value, number) => ({ label: `${query.by}=${value}`, points: reads[number].points }))
    .filter(({ points }) => points.length > 0);
  const found = await described(catalog, query, range, period, series, reads.some(({ cut }) => cut));
  if (values.length > asked.length) {
    found.notes.push(`${asked.length} of ${values.length} values of ${query.by} are shown, the first by name. `
      + 'Filter by tags to see others.');
  }
  if (without) found.notes.push(`Points without the tag ${query.by} are in no series.`);
  return found;
}

async function described(catalog, query, range, period, series, cut) {
  const isRaw = query.aggregator === RAW;
  await catalog.all();
  const unit = countsPoints(query) ? '' : unitOf(query.metric, catalog.find(query.metric)?.unit);
  const notes = [];
  if (cut) {
    notes.push(isRaw
      ? `Only the latest ${MOST_BUCKETS} points of a series are shown. Choose a shorter range or an aggregator.`
      : `Only the latest ${MOST_BUCKETS} periods are shown. Choose a longer period or a shorter range.`);
  }
  const found = series.map(({ label, points }) => ({ label, points: isRaw ? points : new Map(points) }));
  return { series: found, period, grid: aligned(range, period), notes, unit, isRaw };
}

// Return `{points, cut}`: pairs of a time and a value, and whether there may be earlier ones.
async function readMetric(session, query, tags, range, period, options) {
  const isRaw = query.aggregator === RAW;
  const [from, to] = isRaw ? range : aligned(range, period);
  const { metrics } = await session.request(`${session.ownerPath}/metrics`, {
    metric: query.metric,
    tags: tagsParameter(tags),
    start: new Date(from).toISOString(),
    end: new Date(to).toISOString(),
    aggregator: query.aggregator,
    period: isRaw ? '' : `${period / 1000}s`,
    limit: MOST_BUCKETS,
  }, options);
  const points = metrics.map(({ time, value }) => [Date.parse(time), value]);
  const cut = points.length === MOST_BUCKETS && (isRaw || points[0][0] > from);
  return { points, cut };
}

// Return the time of the latest point of a query, null if it never had one.
export async function latestPoint(session, query, options) {
  const { metrics } = await session.request(`${session.ownerPath}/metrics`, {
    metric: query.metric, tags: tagsParameter(query.tags), limit: 1,
  }, options);
  return metrics.length === 0 ? null : Date.parse(metrics[0].time);
}

// In a value of the parameter `tags`, commas and backslashes are escaped.
function tagsParameter(tags) {
  return tags.map(({ name, value }) => formatTag({ name, value: value.replace(/[\\,]/g, '\\$&') })).join(',');
}

// Call an async function for each item, so many at once; return the results in the items' order.
async function inTurn(items, atOnce, call) {
  const results = new Array(items.length);
  let next = 0;
  async function work() {
    while (next < items.length) {
      const mine = next;
      next += 1;
      results[mine] = await call(items[mine]);
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
