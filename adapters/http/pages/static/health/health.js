// The view of an organization's health. It asks again every few seconds while it can be seen.

import { el, setText } from '../dom.js';
import { repeater } from '../explore/live.js';
import { formatTime, zoneName } from '../times.js';
import { logSection } from './log.js';
import { pointsSection } from './points.js';
import { projectionsSection } from './projections.js';
import { refusalsSection } from './refusals.js';
import { failureText } from './section.js';
import { tokensSection } from './tokens.js';

const EVERY = 5_000;

// Show the view in an element. Returns a function that ends it.
export function showHealth(element, session, state) {
  const { organization } = session.identity;
  const path = `/organizations/${encodeURIComponent(organization)}`;
  const points = pointsSection();
  const projections = projectionsSection();
  const log = logSection();
  const refusals = refusalsSection(session, path);
  const tokens = tokensSection(session, path);
  const sections = [points, projections, log, refusals, tokens];
  const ofHealth = [points, projections, log, refusals]; // tokens are asked for by themselves
  const asOf = el('p', { class: 'note' });
  const waiting = el('p', { class: 'note', role: 'status' }, 'Asking …');
  const error = el('p', { class: 'error', role: 'alert' });
  const cards = el('div', { class: 'cards' }, ...sections.map((section) => section.element));
  element.replaceChildren(el('h2', {}, `Health of ${organization}`), asOf, waiting, error, cards);
  cards.hidden = true;
  document.title = `Health of ${organization} – CAVE`;

  const running = new AbortController();
  const options = {
    signal: running.signal,
    onRetry: ({ message, seconds }) => setText(waiting, `${message} Asking again in ${seconds} s.`),
  };
  let health = null;
  const again = repeater(ask, () => {});

  async function ask() {
    let permitted = true;
    try {
      health = await session.request(`${path}/health`, {}, options);
      setText(error, '');
      cards.hidden = false;
      ofHealth.forEach((section) => section.show(health, state.current.zone));
      show();
      await Promise.all([refusals, tokens].map((section) => section.update(health, options)));
    } catch (failure) {
      setText(error, failureText(failure, 'read'));
      permitted = failure.status !== 403;
    }
    if (running.signal.aborted) return;
    setText(waiting, '');
    if (permitted) again.after(EVERY);
  }

  function show() {
    const { zone } = state.current;
    setText(asOf, `As of ${formatTime(Math.floor(Date.parse(health.at) / 1000) * 1000, zone)} ${zoneName(zone)}, `
      + `asked every ${EVERY / 1000} s while the page can be seen.`);
    tokens.show(zone);
  }

  // The time zone is the only part of the state that this view depends on.
  function onState() {
    if (health === null) return;
    const { zone } = state.current;
    points.show(health, zone);
    refusals.show(health, zone);
    [projections, log].forEach((section) => section.draw(zone));
    show();
  }

  state.addEventListener('change', onState);
  ask();

  return () => {
    running.abort();
    again.stop();
    state.removeEventListener('change', onState);
    sections.forEach((section) => section.end());
    element.replaceChildren();
    document.title = 'CAVE';
  };
}
