// The page: signing in, the header, and one of the views.

import { el, selectOf } from './dom.js';
import { showExplore } from './explore/explore.js';
import { showHealth } from './health/health.js';
import { Session } from './session.js';
import { showSignIn } from './sign-in.js';
import { State, formatState } from './state.js';

const VIEWS = { explore: 'Explore', health: 'Health' };
const ZONES = [['local', 'Local time'], ['utc', 'UTC']];
const THEMES = { system: 'System colours', light: 'Light', dark: 'Dark' };

const [main, owner, views, tools] = ['main', 'owner', 'views', 'tools'].map((id) =>
  document.getElementById(id),
);
const session = new Session();
const state = new State();
let shown = null; // the view that is shown
let end = null; // ends it

function show() {
  const { view, team } = state.current;
  if (session.identity !== null) session.team = session.identity.team === null ? team : '';
  const wanted = session.identity === null ? 'sign-in' : `${Object.hasOwn(VIEWS, view) ? view : 'explore'} ${team}`;
  header();
  if (wanted === shown) return;
  end?.();
  shown = wanted;
  main.replaceChildren();
  if (session.identity === null) end = showSignIn(main, session);
  else if (view === 'health') end = showHealth(main, session);
  else end = showExplore(main, session, state);
}

function header() {
  const signedIn = session.identity !== null;
  const { organization, team } = session.identity ?? {};
  const name = team ?? session.team;
  owner.textContent = signedIn ? (name ? `${organization} / ${name}` : organization) : '';
  const { view, zone } = state.current;
  views.replaceChildren(
    ...Object.entries(signedIn ? VIEWS : {}).map(([key, text]) =>
      el('a', {
        href: `?${formatState({ ...state.current, view: key })}`,
        'aria-current': key === view ? 'page' : null,
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          state.update({ view: key });
          views.querySelector('[aria-current]')?.focus();
        },
      }, text),
    ),
  );
  if (tools.childElementCount === 0) {
    const zones = selectOf(ZONES, zone, { id: 'zone', 'aria-label': 'Time zone',
      onchange: () => state.update({ zone: zones.value }) });
    const themes = selectOf(
      globalThis.caveTheme.CHOICES.map((key) => [key, THEMES[key]]),
      globalThis.caveTheme.chosen(),
      { id: 'theme', 'aria-label': 'Colours', onchange: () => globalThis.caveTheme.choose(themes.value) },
    );
    tools.append(zones, themes,
      el('button', { type: 'button', id: 'sign-out', onclick: () => session.signOut() }, 'Sign out'));
  }
  tools.querySelector('#zone').value = zone;
  tools.querySelector('#sign-out').hidden = !signedIn;
}

function showAnew() {
  shown = null;
  show();
}

session.addEventListener('signedin', showAnew);
session.addEventListener('signedout', showAnew);
state.addEventListener('change', show);

if (session.hasToken) {
  session.signIn().catch((error) => {
    if (session.reason === '') {
      session.reason = error.message;
      showAnew();
    }
  });
} else {
  show();
}
