// A query: what is drawn, without the range. It is part of the page's state.

import { labelName, selector } from './selectors.js';

export const AGGREGATORS = ['count', 'sum', 'min', 'max', 'mean', 'median', 'mode', 'stddev', 'p90',
  'p95', 'p99', 'p999'];
export const RAW = ''; // no aggregator: the points themselves
const FIELDS = ['mode', 'metric', 'aggregator', 'by', 'promql'];
const COUNTS = new Set(['count']);

// Return a tag `{name, value}` of the text `name:value`. A name has no colon.
export function parseTag(text) {
  const colon = text.indexOf(':');
  return colon < 0 ? { name: text, value: '' } : { name: text.slice(0, colon), value: text.slice(colon + 1) };
}

export function formatTag({ name, value }) {
  return `${name}:${value}`;
}

// Return the query `{mode, metric, tags, aggregator, by, promql}` of a state.
export function queryOf(state) {
  const query = Object.fromEntries(FIELDS.map((field) => [field, state[field]]));
  if (query.mode !== 'promql') query.mode = 'metric';
  return { ...query, tags: state.tags.map(parseTag) };
}

// Return whether there is something to ask for.
export function isComplete(query) {
  return query.mode === 'promql' ? query.promql.trim() !== '' : query.metric !== '';
}

// Return the query as a text for the state's `beside`.
export function formatBeside(query) {
  if (query.mode === 'promql') return new URLSearchParams({ promql: query.promql }).toString();
  const { metric, aggregator, by } = query;
  const parameters = new URLSearchParams({ metric, aggregator });
  if (by) parameters.set('by', by);
  query.tags.forEach((tag) => parameters.append('tag', formatTag(tag)));
  return parameters.toString();
}

export function parseBeside(text) {
  const parameters = new URLSearchParams(text);
  return {
    mode: parameters.has('promql') ? 'promql' : 'metric',
    metric: parameters.get('metric') ?? '',
    aggregator: parameters.get('aggregator') ?? 'mean',
    by: parameters.get('by') ?? '',
    promql: parameters.get('promql') ?? '',
    tags: parameters.getAll('tag').map(parseTag),
  };
}

// Return a query in a few words, for the legend.
export function nameOf(query) {
  if (query.mode === 'promql') return query.promql.trim();
  const tags = query.tags.map(formatTag).join(', ');
  return `${query.aggregator || 'points'} ${query.metric}${tags ? ` {${tags}}` : ''}`;
}

// Return an expression to go on from, when a query is turned into PromQL.
export function asPromql(query, type, range = '5m') {
  if (query.metric === '') return '';
  const series = selector(query.metric, query.tags);
  const by = query.by ? ` by (${labelName(query.by)})` : '';
  if (type === 'counter') return `sum${by} (rate(${series}[${range}]))`;
  const reduced = { min: 'min', max: 'max', mean: 'avg', sum: 'sum' }[query.aggregator];
  return reduced ? `${reduced}${by} (${series})` : series;
}

// Return whether values are numbers of points, and so have no unit.
export function countsPoints(query) {
  return query.mode === 'metric' && COUNTS.has(query.aggregator);
}
