// Periods and ranges: how many buckets a range has, and which period fits it.

import { parseDuration, startOfDay } from '../times.js';

export const PERIODS = ['1s', '5s', '10s', '15s', '30s', '1m', '2m', '5m', '10m', '15m', '30m', '1h', '2h',
  '3h', '6h', '12h', '1d', '7d'];
export const PRESETS = [['5m', 'Last 5 minutes'], ['15m', 'Last 15 minutes'], ['1h', 'Last hour'],
  ['3h', 'Last 3 hours'], ['6h', 'Last 6 hours'], ['12h', 'Last 12 hours'], ['24h', 'Last 24 hours'],
  ['today', 'Today'], ['yesterday', 'Yesterday'], ['2d', 'Last 2 days'], ['7d', 'Last 7 days'], ['30d', 'Last 30 days'], ['90d', 'Last 90 days'],
  ['1y', 'Last year']];
const MOST = 300; // buckets that a plot shows well
const MINUTE = 60_000;

// Return the range `[from, to]` of a state in milliseconds, as of a time. Null if it is invalid.
export function rangeOf(state, now) {
  if (state.from && state.to) {
    const [from, to] = [Date.parse(state.from), Date.parse(state.to)];
    return Number.isNaN(from) || Number.isNaN(to) || to <= from ? null : [from, to];
  }
  const today = startOfDay(now, state.zone);
  if (state.last === 'today') return [today, Math.max(now, today + 1000)];
  if (state.last === 'yesterday') return [startOfDay(today - 1, state.zone), today];
  const length = parseDuration(state.last);
  return length ? [now - length, now] : null;
}

// Return the period that fits a range, as a text. Agents publish every 10 s to 1 min: a shorter
// period would leave gaps between their points.
export function fittingPeriod([from, to]) {
  const length = to - from;
  const least = length >= 30 * MINUTE ? MINUTE : length >= 5 * MINUTE ? 10_000 : 1000;
  return PERIODS.find((text) => parseDuration(text) >= Math.max(length / MOST, least)) ?? PERIODS.at(-1);
}

// Return a range whose ends are multiples of a period, so that its buckets are whole.
export function aligned([from, to], period) {
  return [Math.floor(from / period) * period, Math.ceil(to / period) * period];
}
