// PromQL's selectors for a metric and tags, whatever characters their names have.

// Return a text in double quotes, as PromQL reads it.
export function quoted(text) {
  return JSON.stringify(text);
}

// Return a label's name, in quotes if it is not a plain one.
export function labelName(name) {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quoted(name);
}

// Return the selector of a metric whose tags have these values; '' selects those without the tag.
export function selector(metric, tags) {
  const matchers = tags.map(({ name, value }) => `${labelName(name)}=${quoted(value)}`);
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric)) {
    return matchers.length ? `${metric}{${matchers.join(', ')}}` : metric;
  }
  return `{${[quoted(metric), ...matchers].join(', ')}}`;
}

// Return a series' labels as a selector is written: its name, then the others.
export function seriesName(labels) {
  const { __name__: name = '', ...others } = labels;
  const matchers = Object.entries(others).map(([key, value]) => `${labelName(key)}=${quoted(value)}`);
  return `${name}${matchers.length || !name ? `{${matchers.join(', ')}}` : ''}`;
}
