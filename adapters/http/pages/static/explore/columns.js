// The series of all queries as columns over common times.

const MOST_ROWS = 200_000;

// Return `{times, series: [{label, values, unconnected}]}` of what `load` returned for each query.
//
// Times are those of all points, and the empty periods between them. A period without a point is
// null, which is a gap; a time that only other series have is undefined, which is none. `names`
// prefix the labels where there are several queries.
export function columnsOf(loaded, names) {
  const times = new Set();
  for (const { series, grid, period, isRaw } of loaded) {
    for (const { points } of series) for (const [time] of points) times.add(time);
    if (!isRaw && series.length > 0 && (grid[1] - grid[0]) / period <= MOST_ROWS) {
      const first = Math.min(...series.map(({ points }) => points.keys().next().value));
      const last = Math.max(...series.map(({ points }) => lastKey(points)));
      for (let time = first; time <= last; time += period) times.add(time);
    }
  }
  const ordered = [...times].sort((one, other) => one - other);
  const series = loaded.flatMap((each, query) =>
    each.series.flatMap(({ label, points }) => {
      const prefix = loaded.length > 1 && label !== names[query] ? `${names[query]} ` : '';
      const missing = each.isRaw ? () => undefined : (time) => (time % each.period === 0 ? null : undefined);
      return layers(points, each.isRaw).map((layer, number) => ({
        label: prefix + label + (number > 0 ? ` (${number + 1} at one time)` : ''),
        unit: each.unit,
        unconnected: each.isRaw,
        values: ordered.map((time) => (layer.has(time) ? layer.get(time) : missing(time))),
      }));
    }));
  return { times: ordered, series };
}

// Points of one series may have the same time, and all count: the second one of a time gets into a
// second layer, and so on.
function layers(points, isRaw) {
  if (!isRaw) return [points];
  const found = [];
  for (const [time, value] of points) {
    let layer = found.find((each) => !each.has(time));
    if (layer === undefined) found.push((layer = new Map()));
    layer.set(time, value);
  }
  return found;
}

function lastKey(points) {
  let last;
  for (last of points.keys());
  return last;
}

// Return whether most values stand alone between gaps: the period is shorter than the points' own.
export function isScattered({ series }) {
  let alone = 0;
  let all = 0;
  for (const { values, unconnected } of series) {
    if (unconnected) continue;
    values.forEach((value, at) => {
      if (!isNumber(value)) return;
      all += 1;
      if (!isNumber(values[at - 1]) && !isNumber(values[at + 1])) alone += 1;
    });
  }
  return all > 2 && alone * 2 > all;
}

function isNumber(value) {
  return value !== null && value !== undefined;
}
