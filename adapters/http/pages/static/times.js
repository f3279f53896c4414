// Times and durations: as texts, and from texts. Times are milliseconds since the epoch.

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, y: 31_536_000_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)/;

// Return milliseconds of a text such as `90s` or `1h30m`, null if it is none.
export function parseDuration(text) {
  let rest = text.trim();
  let total = 0;
  if (rest === '') return null;
  while (rest !== '') {
    const found = DURATION.exec(rest);
    if (found === null) return null;
    total += Number(found[1]) * UNITS[found[2]];
    rest = rest.slice(found[0].length);
  }
  return total;
}

// Return a duration as the API reads it: a whole number of one unit.
export function formatDuration(milliseconds) {
  for (const unit of ['d', 'h', 'm', 's']) {
    if (milliseconds % UNITS[unit] === 0) return `${milliseconds / UNITS[unit]}${unit}`;
  }
  return `${milliseconds}ms`;
}

const pad = (number, digits = 2) => String(number).padStart(digits, '0');

// Return the parts of a time in a zone, 'utc' or 'local'.
function parts(time, zone) {
  const date = new Date(time);
  return zone === 'utc'
    ? [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(),
      date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds()]
    : [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(),
      date.getMinutes(), date.getSeconds(), date.getMilliseconds()];
}

// Return a time for people: date, time, and the milliseconds if there are any.
export function formatTime(time, zone) {
  const [year, month, day, hour, minute, second, rest] = parts(time, zone);
  const decimals = rest ? `.${pad(rest, 3)}` : '';
  return `${pad(year, 4)}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)}${decimals}`;
}

// Return the texts of an axis' ticks, `step` milliseconds apart. The first one and each new day have
// the date on a second line.
export function axisTimes(ticks, step, zone) {
  let day = '';
  return ticks.map((tick) => {
    const text = formatTime(tick, zone);
    const [date, time] = text.split(' ');
    if (step >= UNITS.d) return step >= 28 * UNITS.d ? date.slice(0, 7) : date;
    const clock = step < 1000 ? time : step < UNITS.m ? time.slice(0, 8) : time.slice(0, 5);
    const isNew = date !== day;
    day = date;
    return isNew ? `${clock}\n${date}` : clock;
  });
}

// Return when the day of a time begins, in a zone.
export function startOfDay(time, zone) {
  const [year, month, day] = parts(time, zone);
  return zone === 'utc' ? Date.UTC(year, month - 1, day) : new Date(year, month - 1, day).getTime();
}

// Return a time as the value of a `datetime-local` field that has seconds.
export function fieldValue(time, zone) {
  const [year, month, day, hour, minute, second] = parts(time, zone);
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}`;
}

// Return the time of such a field, null if it is empty or incomplete.
export function parseField(text, zone) {
  const time = Date.parse(zone === 'utc' ? `${text}Z` : text);
  return Number.isNaN(time) ? null : time;
}

// Return the zone's name for people.
export function zoneName(zone) {
  return zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone;
}
