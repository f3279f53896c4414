// The columns as CSV (RFC 4180), times in UTC.

// Return the text of the columns: a row per time, a column per series.
export function csvOf({ times, series }) {
  const header = ['time', ...series.map(({ label }) => cell(label))];
  const rows = times.map((time, at) =>
    [new Date(time).toISOString(), ...series.map(({ values }) => String(values[at] ?? ''))]);
  return [header, ...rows].map((row) => `${row.join(',')}\r\n`).join('');
}

// Return a text as a cell. Spreadsheets take a text that begins like a formula for one, and a tag's
// value may be anyone's: an apostrophe before it keeps it a text. Numbers are never changed.
function cell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// Let the browser save a text as a file.
export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the file after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
