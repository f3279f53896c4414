// The page: signing in, the header, and one of the views.

import { showExplore } from './explore/explore.js';
import { header } from './header.js';
import { showHealth } from './health/health.js';
import { Session } from './session.js';
import { showSignIn } from './sign-in.js';
import { State } from './state.js';

const main = document.getElementById('main');
const session = new Session();
const state = new State();
const showHeader = header(session, state);
let shown = null; // the view that is shown, and whose data
let end = null; // ends it

function show() {
  const { view, team } = state.current;
  session.team = team;
  showHeader();
  const wanted = session.identity === null ? 'sign-in' : `${view} ${team}`;
  if (wanted === shown) return;
  end?.();
  shown = wanted;
  if (session.identity === null) end = showSignIn(main, session);
  else if (view === 'health') end = showHealth(main, session, state);
  else end = showExplore(main, session, state);
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
    // After a refusal, the form is shown already, with the reason.
    if (shown === null) {
      session.reason = error.message;
      show();
    }
  });
} else {
  show();
}
