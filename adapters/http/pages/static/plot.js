// A plot of series over time, drawn by uPlot. Its colours come from the style sheet's variables.

import { axisTimes } from './times.js';
import { readable } from './units.js';

export const COLOURS = 10;
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
const NARROW = 600;
// Beyond so many values, lines are thin and without dashes: thick ones take 15 times as long to draw,
// and dashes three times as long again.
const MANY = 50_000;
const LEAST_DRAG = 5;

// Return the colour of the series with this number, as a CSS value.
export function colourOf(number) {
  return css(`--series-${(number % COLOURS) + 1}`);
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Draw a plot into an element, in place of what it has.
//
// `times`: milliseconds since the epoch, ascending. `series`: `{label, values, unconnected}`, one
// value per time, null for a gap and undefined where the line goes on; `unconnected` draws points
// without lines. Options: `unit` (see
// units.js), `range` (`[from, to]`, by default that of the times), `zone` ('utc' or 'local'),
// `label` (for those who do not see it), `onRange(from, to)` when a range was dragged or chosen with
// the keys, `onCursor(index, byKey)` with the index of a time, or null.
//
// Returns `{update({times, series, range}), setVisible(number, visible), destroy()}`. `update` draws
// other values of the same series; the cursor and the focus stay.
export function drawPlot(element, { unit = '', zone = 'local', label = 'Plot', height, onRange, onCursor,
  ...drawn }) {
  let { times, series, range } = drawn;
  const written = readable(unit);
  const width = () => Math.max(element.clientWidth, 200);
  const tall = () => height ?? (width() < NARROW ? 240 : 340);
  const colour = (name) => () => css(name);
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--grid'), width: 1 },
    ticks: { stroke: colour('--grid'), width: 1 }, font: '12px system-ui, sans-serif' };
  const many = times.length * series.length > MANY;
  let moving = null; // 'key' while a key moves the cursor

  const options = {
    width: width(),
    height: tall(),
    ms: 1,
    padding: [null, 38, null, null], // half of the last tick's date
    tzDate: (time) => (zone === 'utc' ? globalThis.uPlot.tzDate(new Date(time), 'Etc/UTC') : new Date(time)),
    legend: { show: false },
    cursor: { drag: { x: Boolean(onRange), y: false, setScale: false }, points: { size: 7 } },
    scales: { x: { time: true, range: (_, least, most) => range ?? [least, most] } },
    axes: [
      { ...axis, values: (_, ticks, __, ___, step) => axisTimes(ticks, step, zone), size: 44, space: 76 },
      { ...axis, values: (_, ticks) => ticks.map(written.format), size: axisSize,
        ...(written.steps ? { incrs: written.steps } : {}) },
    ],
    series: [
      {},
      ...series.map((each, number) => ({
        label: each.label,
        stroke: () => colourOf(number),
        width: many ? 1 : 1.5,
        dash: many ? [] : DASHES[Math.floor(number / COLOURS) % DASHES.length],
        spanGaps: false,
        ...(each.unconnected ? { paths: () => null } : {}),
        points: {
          size: 5,
          ...(each.unconnected ? { show: true } : { filter: isolated }),
        },
      })),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width: dragged } = plot.select;
          if (moving === null && dragged >= LEAST_DRAG) {
            choose(plot.posToVal(left, 'x'), plot.posToVal(left + dragged, 'x'));
          }
        },
      ],
      setCursor: [(plot) => onCursor?.(plot.cursor.idx ?? null, moving === 'key')],
    },
  };

  element.replaceChildren();
  element.tabIndex = 0;
  element.setAttribute('role', 'group');
  element.setAttribute('aria-label', label);
  const data = () => [times, ...series.map((each) => each.values.map(drawable))];
  const plot = new globalThis.uPlot(options, data(), element);

  let anchor = null; // the index where a selection by keys began

  function choose(from, to) {
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    anchor = null;
    onRange?.(Math.round(from), Math.round(to));
  }

  function moveTo(index, selecting) {
    const before = plot.cursor.idx ?? index;
    anchor = selecting ? (anchor ?? before) : null;
    const left = plot.valToPos(times[index], 'x');
    moving = 'key';
    plot.setCursor({ left, top: plot.over.clientHeight / 2 });
    const start = anchor === null ? left : plot.valToPos(times[anchor], 'x');
    plot.setSelect({ left: Math.min(start, left), width: Math.abs(left - start), top: 0,
      height: anchor === null ? 0 : plot.over.clientHeight }, false);
    moving = null;
  }

  function onKey(event) {
    if (event.target !== element || times.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = times.length - 1;
    const current = plot.cursor.idx ?? null;
    const far = Math.max(1, Math.round(times.length / 10));
    const goal = {
      ArrowLeft: current === null ? last : current - 1,
      ArrowRight: current === null ? 0 : current + 1,
      PageUp: (current ?? last) - far,
      PageDown: (current ?? 0) + far,
      Home: 0,
      End: last,
    }[event.key];
    if (goal !== undefined) {
      moveTo(Math.min(Math.max(goal, 0), last), event.shiftKey);
    } else if (event.key === 'Enter' && onRange && anchor !== null && anchor !== current) {
      const [from, to] = [times[anchor], times[current]].sort((a, b) => a - b);
      choose(from, to);
    } else if (event.key === 'Escape') {
      moving = 'key';
      anchor = null;
      plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      plot.setCursor({ left: -10, top: -10 });
      moving = null;
    } else {
      return;
    }
    event.preventDefault();
  }

  // uPlot follows the mouse only: a finger that moves sideways drags a range, too.
  let touched = null;
  function onPointer(event) {
    if (event.pointerType !== 'touch' || !onRange) return;
    const x = event.clientX - plot.over.getBoundingClientRect().left;
    if (event.type === 'pointerdown') touched = x;
    else if (event.type === 'pointercancel') touched = null;
    if (touched === null) return;
    const select = { left: Math.min(touched, x), width: Math.abs(x - touched), top: 0, height: plot.over.clientHeight };
    plot.setSelect(select, event.type === 'pointerup');
    if (event.type === 'pointerup') touched = null;
  }

  const redraw = () => plot.redraw();
  const resized = new ResizeObserver(() => {
    if (plot.width !== width()) plot.setSize({ width: width(), height: tall() });
  });
  const pointerEvents = ['pointerdown', 'pointermove', 'pointerup', 'pointercancel'];
  document.addEventListener('cave:theme', redraw);
  element.addEventListener('keydown', onKey);
  pointerEvents.forEach((name) => plot.over.addEventListener(name, onPointer));
  resized.observe(element);

  return {
    update(now) {
      ({ times, series, range } = now);
      anchor = null;
      plot.setData(data());
    },
    setVisible(number, shown) {
      plot.setSeries(number + 1, { show: shown });
    },
    destroy() {
      document.removeEventListener('cave:theme', redraw);
      element.removeEventListener('keydown', onKey);
      resized.disconnect();
      plot.destroy();
    },
  };
}

// NaN and the infinities are no place in a plot. Undefined is not a gap, null is.
function drawable(value) {
  return Number.isFinite(value) || value === undefined ? value : null;
}

// A point between two gaps has no line that would show it.
function isolated(plot, number, allShown) {
  if (allShown) return null;
  const values = plot.data[number];
  const found = [];
  let before = null; // whether the last value that is not undefined was a number
  let candidate = null;
  values.forEach((value, at) => {
    if (value === undefined) return;
    if (value === null) {
      if (candidate !== null) found.push(candidate);
      candidate = null;
    } else {
      candidate = before === null ? at : null;
    }
    before = value;
  });
  if (candidate !== null) found.push(candidate);
  return found;
}

function axisSize(plot, texts) {
  const longest = Math.max(0, ...(texts ?? []).map((text) => text.length));
  return Math.max(44, longest * 7 + 18);
}
