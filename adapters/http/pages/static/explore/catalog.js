// The metrics that there are: names, descriptions, tags and their values.

import { selector } from './selectors.js';

const FRESH = 30_000;
const MINUTE = 60_000;
const MOST_KEPT = 50;
const MOST_SHOWN = 50;

export class Catalog {
  constructor(session) {
    this.session = session;
    this.names = []; // {name, tags, type, unit, help, temporality}
    this.readAt = -Infinity;
    this.reading = null;
    this.values = new Map(); // promises of tags' values, for those who type
  }

  // Return all metrics by name; read again if they are older than half a minute.
  async all() {
    if (performance.now() - this.readAt > FRESH) {
      this.reading ??= this.#read().finally(() => { this.reading = null; });
      await this.reading;
    }
    return this.names;
  }

  async #read() {
    this.names = await this.session.request(`${this.session.ownerPath}/metric-names`, { metadata: 'true' });
    this.readAt = performance.now();
  }

  // Return what is known of a metric, undefined if it was not read yet or is unknown.
  find(name) {
    return this.names.find((known) => known.name === name);
  }

  // Return `{found, total}`: the metrics that a text finds, the best first.
  async search(text) {
    const found = ranked(await this.all(), text);
    return { found: found.slice(0, MOST_SHOWN), total: found.length };
  }

  // Return the values of a tag among a metric's series with these tags, in a natural order; without
  // a metric, among all series. They are kept until the range has moved by a minute.
  tagValues(metric, tags, name, [from, to], options = {}) {
    const key = JSON.stringify([metric, tags, name, Math.floor(from / MINUTE), Math.floor(to / MINUTE)]);
    let found = this.values.get(key);
    if (found === undefined) {
      // Others may wait for the same answer: nobody's signal may abort it.
      found = this.#readValues(metric, tags, name, [from, to], { ...options, signal: undefined });
      if (this.values.size >= MOST_KEPT) this.values.clear();
      this.values.set(key, found);
      found.catch(() => this.values.delete(key));
    }
    return found;
  }

  async #readValues(metric, tags, name, [from, to], options) {
    const match = metric === '' ? '' : selector(metric, tags);
    const parameters = { 'match[]': match, start: from / 1000, end: to / 1000 };
    const api = `${this.session.ownerPath}/prometheus/api/v1`;
    let values;
    if (name.includes('/') && match !== '') {
      // A path cannot have this name, even if it is percent-encoded.
      const { data } = await this.session.request(`${api}/series`, parameters, options);
      values = [...new Set(data.map((labels) => labels[name]).filter((value) => value !== undefined))];
    } else {
      const path = `${api}/label/${encodeURIComponent(name)}/values`;
      values = (await this.session.request(path, parameters, options)).data;
    }
    return values.sort(naturally);
  }

  // Return whether a metric has series without a tag.
  async hasSeriesWithout(metric, tags, name, [from, to], options = {}) {
    const { data } = await this.session.request(`${this.session.ownerPath}/prometheus/api/v1/series`, {
      'match[]': selector(metric, [...tags, { name, value: '' }]), start: from / 1000, end: to / 1000, limit: 1,
    }, options);
    return data.length > 0;
  }
}

const collator = new Intl.Collator('en', { numeric: true });

export function naturally(one, other) {
  return collator.compare(one, other);
}

// Return the metrics that have all words of a text in their name or help, the best first: names
// that begin with it, then names with a part that does, other names, helps.
function ranked(names, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return names;
  const scored = [];
  for (const known of names) {
    const name = known.name.toLowerCase();
    const help = (known.help ?? '').toLowerCase();
    let score = 0;
    for (const word of words) {
      const at = name.indexOf(word);
      if (at === 0) score += 0;
      else if (at > 0) score += /[._:/-]/.test(name[at - 1]) ? 1 : 2;
      else if (help.includes(word)) score += 10;
      else score = Infinity;
    }
    if (score < Infinity) scored.push([score, known]);
  }
  return scored.sort(([one], [other]) => one - other).map(([, known]) => known);
}
