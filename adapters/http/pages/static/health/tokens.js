// Active tokens of the organization and its teams, with their last use.

import { el, setText } from '../dom.js';
import { formatTime } from '../times.js';
import { rowsTable } from './rows.js';
import { Samples } from './samples.js';
import { count, failureText, section } from './section.js';
import { smallPlot } from './small-plot.js';

const RECENT = 2 * 60_000; // a last use may be a minute old when it is shown
const USED = 'used in the last two minutes';
const ACTIVE = 'active';
const MOST = 500;

// Return `{element, show(zone), update(health, options), end()}`. Once the token may not see tokens,
// `update` does not ask again.
export function tokensSection(session, path) {
  const samples = new Samples();
  const table = rowsTable('Active tokens', ['Token', 'Description', 'Team', 'Scopes', 'Last used', 'Expires'], 'There are no active tokens.');
  const note = el('p', { class: 'note' });
  const plot = smallPlot('Active tokens, and those in use, while you watch', '');
  const content = el('div', { hidden: true }, note, table.element, plot.element);
  const { element, error } = section({
    title: 'Tokens', note: 'Active tokens of the organization and its teams. A last use may be a minute old.', wide: true,
  }, content);
  let tokens = null;
  let permitted = true;
  let zone = 'local';

  function show(given) {
    zone = given;
    if (tokens === null) return;
    const time = (text, otherwise) => (text === null ? otherwise : formatTime(Date.parse(text), zone));
    table.show(tokens.slice(0, MOST).map((token) => [token.id, token.description || '–', token.team ?? '–',
      token.scopes.join(' '), time(token.last_used_at, 'never'), time(token.expires_at, 'never')]));
    setText(note, tokens.length > MOST ? `The ${MOST} used last of ${count(tokens.length)} are shown.` : '');
    plot.show(samples.columns([ACTIVE, USED]), zone);
  }

  async function update({ at }, options) {
    if (!permitted) return;
    try {
      const found = await session.request(`${path}/tokens`, { teams: 'true' }, options);
      tokens = found.tokens.filter(({ state }) => state === 'active')
        .sort((a, b) => lastUse(b) - lastUse(a));
      const now = Date.parse(at);
      samples.add(now, { [ACTIVE]: tokens.length, [USED]: tokens.filter((token) => now - lastUse(token) <= RECENT).length });
      error('');
      content.hidden = false;
      show(zone);
    } catch (failure) {
      if (failure.name === 'AbortError') return;
      permitted = failure.status !== 403;
      error(failureText(failure, 'admin'));
    }
  }

  return { element, show, update, end: plot.end };
}

function lastUse({ last_used_at: text }) {
  return text === null ? 0 : Date.parse(text);
}
