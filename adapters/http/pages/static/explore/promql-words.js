// The words of PromQL, and what fits at a place of an expression.

export const FUNCTIONS = `
  abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes
  clamp clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year
  days_in_month deg delta deriv double_exponential_smoothing exp first_over_time floor
  histogram_avg histogram_count histogram_fraction histogram_quantile histogram_stddev
  histogram_stdvar histogram_sum hour idelta increase irate label_join label_replace
  last_over_time ln log10 log2 mad_over_time max_over_time min_over_time minute month pi
  predict_linear present_over_time quantile_over_time rad rate resets round scalar sgn sin
  sinh sort sort_by_label sort_by_label_desc sort_desc sqrt stddev_over_time
  stdvar_over_time sum_over_time tan tanh time timestamp ts_of_first_over_time
  ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time vector year
`.trim().split(/\s+/);
export const AGGREGATIONS = `
  avg bottomk count count_values group limitk max min quantile stddev stdvar sum topk
`.trim().split(/\s+/);
const KEYWORDS = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'bool', 'and', 'or', 'unless', 'offset'];
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const DURATIONS = ['1m', '5m', '10m', '15m', '30m', '1h', '6h', '1d'];
const WORD = /[a-zA-Z0-9_:.]/;

export { DURATIONS, KEYWORDS };

// Return what fits at a place of an expression: `{kind, from, text, ...}`. The text from `from` to
// the place is what was written so far. Kinds: `word` (a function, metric or keyword), `label`,
// `value` (with `label`), `metric` (a name in quotes), `duration`, `none`. `metric` is the name that
// the selector around the place has, '' if it is not known.
export function contextAt(expression, place) {
  const open = []; // brackets around the place: {bracket, at, word}
  let quote = null; // {mark, at}
  for (let at = 0; at < place; at += 1) {
    const sign = expression[at];
    if (quote !== null) {
      if (sign === '\\' && quote.mark !== '`') at += 1;
      else if (sign === quote.mark) quote = null;
    } else if ('"\'`'.includes(sign)) {
      quote = { mark: sign, at };
    } else if ('{(['.includes(sign)) {
      open.push({ bracket: sign, at, word: wordBefore(expression, at) });
    } else if ('})]'.includes(sign)) {
      open.pop();
    }
  }
  const inside = open.at(-1);
  if (quote !== null) return inQuotes(expression, place, quote, inside);
  if (inside?.bracket === '[') return { kind: 'duration', from: inside.at + 1, text: expression.slice(inside.at + 1, place) };
  const from = wordStart(expression, place);
  const text = expression.slice(from, place);
  if (inside?.bracket === '{') {
    const afterOperator = /(=|!=|=~|!~)\s*$/.test(expression.slice(inside.at + 1, from));
    return afterOperator ? { kind: 'none', from, text } : { kind: 'label', from, text, metric: metricOf(expression, inside) };
  }
  if (inside?.bracket === '(' && GROUPING.has(inside.word)) return { kind: 'label', from, text, metric: '' };
  return { kind: 'word', from, text };
}

function inQuotes(expression, place, quote, inside) {
  const from = quote.at + 1;
  const text = expression.slice(from, place);
  if (inside?.bracket !== '{') return { kind: 'none', from, text };
  const before = expression.slice(inside.at + 1, quote.at);
  const label = /(?:([a-zA-Z_][a-zA-Z0-9_]*)|"((?:[^"\\]|\\.)*)")\s*(?:=~|!~|!=|=)\s*$/.exec(before);
  if (label === null) return { kind: 'metric', from, text };
  return { kind: 'value', from, text, label: label[1] ?? label[2], metric: metricOf(expression, inside) };
}

// Return the metric of a selector: the word before its brace, or a quoted name in it.
function metricOf(expression, brace) {
  if (brace.word) return brace.word;
  const quoted = /^\s*"((?:[^"\\]|\\.)*)"\s*(?:,|\}|$)/.exec(expression.slice(brace.at + 1));
  return quoted === null ? '' : quoted[1];
}

function wordBefore(expression, place) {
  const end = expression.slice(0, place).trimEnd().length;
  return expression.slice(wordStart(expression, end), end);
}

function wordStart(expression, place) {
  let at = place;
  while (at > 0 && WORD.test(expression[at - 1])) at -= 1;
  // A word begins with a letter; what is before it are numbers and operators.
  while (at < place && !/[a-zA-Z_:]/.test(expression[at])) at += 1;
  return at;
}
