// What is shown, as the URL's search parameters: it can be shared, and back and forward work.
// The token is never part of it.

const DEFAULTS = {
  view: 'explore', // or 'health'
  team: '', // a team that an organization's token looks at
  mode: 'metric', // or 'promql'
  metric: '',
  tags: [], // texts `name:value`
  aggregator: 'mean', // '' for the points themselves
  by: '', // a tag name: one series per value
  promql: '',
  period: '', // '' for one that fits the range
  last: '1h', // a range that ends now
  from: '', // a fixed range, ISO 8601 in UTC; both or none
  to: '',
  live: '', // '1' to follow
  zone: 'local', // or 'utc'
  beside: [], // other queries in the same plot, each as search parameters
};
// Lists are repeated parameters, under these names.
const NAMES = { tags: 'tag', beside: 'beside' };
const EMPTY = 'none';

// Return the state that search parameters describe. Unknown ones are ignored.
export function parseState(search) {
  const parameters = new URLSearchParams(search);
  const state = {};
  for (const [name, byDefault] of Object.entries(DEFAULTS)) {
    if (Array.isArray(byDefault)) {
      state[name] = parameters.getAll(NAMES[name]);
    } else {
      const given = parameters.get(name);
      state[name] = given === null ? byDefault : given === EMPTY && byDefault !== '' ? '' : given;
    }
  }
  return state;
}

// Return the search parameters of a state, without what is as by default.
export function formatState(state) {
  const parameters = new URLSearchParams();
  for (const [name, byDefault] of Object.entries(DEFAULTS)) {
    const value = state[name] ?? byDefault;
    if (Array.isArray(byDefault)) value.forEach((each) => parameters.append(NAMES[name], each));
    else if (value !== byDefault) parameters.set(name, value === '' ? EMPTY : value);
  }
  return parameters.toString();
}

// The page's state. It dispatches `change` after each change, also by back and forward.
export class State extends EventTarget {
  constructor() {
    super();
    this.current = parseState(location.search);
    addEventListener('popstate', () => {
      this.current = parseState(location.search);
      this.dispatchEvent(new Event('change'));
    });
  }

  // Change parts of the state, as a new entry of the history if the URL becomes another.
  update(changes) {
    this.current = { ...this.current, ...changes };
    const search = formatState(this.current);
    const url = search ? `?${search}` : location.pathname;
    if (search !== formatState(parseState(location.search))) history.pushState(null, '', url);
    this.dispatchEvent(new Event('change'));
  }
}
