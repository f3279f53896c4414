// The header: whose data are shown, the views, the time zone, the colours, and signing out.

import { el, selectOf } from './dom.js';
import { formatState } from './state.js';

const VIEWS = { explore: 'Explore', health: 'Health' };
const ZONES = [['local', 'Local time'], ['utc', 'UTC']];
const THEMES = { system: 'System colours', light: 'Light', dark: 'Dark' };

// Return a function that brings the header up to date with the session and the state.
export function header(session, state) {
  const [owner, views, tools] = ['owner', 'views', 'tools'].map((id) => document.getElementById(id));
  const theme = globalThis.caveTheme;
  const teams = el('datalist', { id: 'teams' });
  const team = el('input', { id: 'team', size: 12, list: 'teams', placeholder: 'none', autocomplete: 'off',
    onchange: () => state.update({ team: team.value.trim() }) });
  const teamField = el('label', {}, 'Team ', team, teams);
  const zone = selectOf(ZONES, 'local', { id: 'zone', 'aria-label': 'Time zone',
    onchange: () => state.update({ zone: zone.value }) });
  const colours = selectOf(theme.CHOICES.map((key) => [key, THEMES[key]]), theme.chosen(),
    { id: 'theme', 'aria-label': 'Colours', onchange: () => theme.choose(colours.value) });
  const signOut = el('button', { type: 'button', onclick: () => session.signOut() }, 'Sign out');
  tools.append(teamField, zone, colours, signOut);
  let offered = null; // the organization whose teams are offered

  function link(key, text) {
    return el('a', {
      href: `?${formatState({ ...state.current, view: key })}`,
      'aria-current': key === state.current.view ? 'page' : null,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        state.update({ view: key });
        views.querySelector('[aria-current]')?.focus();
      },
    }, text);
  }

  // Only an administrator may list the teams; others can enter one.
  async function offerTeams({ organization, scopes }) {
    offered = organization;
    teams.replaceChildren();
    if (!scopes.includes('admin')) return;
    try {
      const found = await session.request(`/organizations/${encodeURIComponent(organization)}/teams`);
      teams.replaceChildren(...found.teams.map(({ name }) => el('option', { value: name })));
    } catch {
      // A team can still be entered.
    }
  }

  return () => {
    const { identity } = session;
    const signedIn = identity !== null;
    owner.textContent = !signedIn ? '' : identity.team === null ? identity.organization
      : `${identity.organization} / ${identity.team}`;
    views.replaceChildren(...(signedIn ? Object.entries(VIEWS) : []).map(([key, text]) => link(key, text)));
    teamField.hidden = !signedIn || identity.team !== null;
    team.value = state.current.team;
    zone.value = state.current.zone;
    signOut.hidden = !signedIn;
    if (!teamField.hidden && offered !== identity.organization) offerTeams(identity);
  };
}
