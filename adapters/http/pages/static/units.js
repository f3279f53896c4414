// Readable values by unit: which ticks an axis has, and the text of a value.

const BYTES = new Set(['bytes', 'byte', 'by', 'b']);
const SECONDS = { seconds: 1, second: 1, s: 1, sec: 1, milliseconds: 1e-3, millisecond: 1e-3, ms: 1e-3,
  microseconds: 1e-6, microsecond: 1e-6, us: 1e-6, 'µs': 1e-6, nanoseconds: 1e-9, nanosecond: 1e-9,
  ns: 1e-9, minutes: 60, min: 60, hours: 3600, h: 3600, days: 86400, d: 86400 };
const RATIOS = new Set(['ratio', '1']);
const PERCENT = new Set(['percent', '%']);
// The last word of a name says the unit of a metric that was never described.
const LAST_WORDS = new Set(['bytes', 'seconds', 'milliseconds', 'microseconds', 'nanoseconds', 'ms',
  'us', 'ns', 'percent', 'ratio']);

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = [[1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, ''], [1e-3, 'm'],
  [1e-6, 'µ'], [1e-9, 'n']];
const LONG_TIMES = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
const SHORT_TIMES = [[1, 's'], [1e-3, 'ms'], [1e-6, 'µs'], [1e-9, 'ns']];

const BYTE_STEPS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].flatMap((n) =>
  BINARY.map((_, power) => n * 1024 ** power)).sort((a, b) => a - b);
const DECIMAL_STEPS = [];
for (let power = -9; power <= 0; power += 1) {
  for (const n of [1, 2, 5]) DECIMAL_STEPS.push(Number(`${n}e${power}`));
}
const SECOND_STEPS = [...DECIMAL_STEPS, 10, 15, 30, ...[1, 2, 5, 10, 15, 30].map((n) => n * 60),
  ...[1, 2, 3, 6, 12].map((n) => n * 3600),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000].map((n) => n * 86400)];

// Return the unit of a metric: the described one, else what the end of its name says, else ''.
export function unitOf(metric, described) {
  if (described) return described;
  const word = metric.replace(/[._](total|count|sum|max|bucket)$/, '').split(/[._:/-]/).pop();
  return LAST_WORDS.has(word) ? word : '';
}

// Return how values of a unit are written: `format(value)`, and `steps`, the distances that ticks of
// an axis may have, null for any.
export function readable(unit) {
  const key = unit.toLowerCase();
  if (BYTES.has(key)) return { format: formatBytes, steps: BYTE_STEPS };
  if (Object.hasOwn(SECONDS, key)) {
    const factor = SECONDS[key];
    return {
      format: (value) => formatSeconds(value * factor),
      steps: SECOND_STEPS.map((step) => Number((step / factor).toPrecision(12))),
    };
  }
  if (PERCENT.has(key)) return { format: (value) => `${short(value)} %`, steps: null };
  if (RATIOS.has(key)) return { format: short, steps: null };
  const suffix = unit && !/^\{.*\}$/.test(unit) ? unit : '';
  return { format: (value) => formatDecimal(value, suffix), steps: null };
}

function formatBytes(value) {
  if (!Number.isFinite(value)) return String(value);
  let power = 0;
  let size = Math.abs(value);
  while (size >= 1024 && power < BINARY.length - 1) {
    size /= 1024;
    power += 1;
  }
  return `${short(value / 1024 ** power)} ${BINARY[power]}B`;
}

function formatSeconds(value) {
  const size = Math.abs(value);
  const units = size >= 60 ? LONG_TIMES : SHORT_TIMES;
  return withUnit(value, units, size === 0 ? 's' : null);
}

function formatDecimal(value, suffix) {
  const size = Math.abs(value);
  // A milli-request is no help; small values of units are.
  const text = size === 0 || (size < 1 && !suffix) ? short(value) : withUnit(value, DECIMAL, null, suffix);
  return suffix && (size === 0 || !/\s/.test(text)) ? `${text} ${suffix}` : text;
}

function withUnit(value, units, zeroUnit, suffix = '') {
  if (!Number.isFinite(value)) return String(value);
  if (zeroUnit !== null) return `0 ${zeroUnit}`;
  // 999.96 of a unit would be written as 1000 of it.
  const found = units.find(([size]) => Number((Math.abs(value) / size).toPrecision(4)) >= 1) ?? units.at(-1);
  const [size, unit] = found;
  const text = short(value / size);
  return unit || suffix ? `${text} ${unit}${suffix}` : text;
}

// Return a number with four digits at most, without zeros at its end.
function short(value) {
  if (!Number.isFinite(value)) return String(value);
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  return size !== 0 && (size < 1e-4 || size >= 1e15) ? rounded.toExponential() : String(rounded);
}
