// The form that asks for a token.

import { el, labelled } from './dom.js';

// Show the form in an element, with the reason why it is shown, '' for none.
export function showSignIn(element, session) {
  // Without a name, no form could ever send it.
  const token = el('input', {
    type: 'password', autocomplete: 'off', spellcheck: 'false', required: true,
    'aria-describedby': 'sign-in-note sign-in-error',
  });
  const error = el('p', { id: 'sign-in-error', class: 'error', role: 'alert' }, session.reason);
  const button = el('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const form = el(
    'form',
    { class: 'sign-in', onsubmit: submit },
    el('h2', {}, 'Sign in'),
    labelled('Token', token),
    el('p', { id: 'sign-in-note' },
      'A token with the scope “read”. This tab keeps it until you close it or sign out. '
      + 'An administrator issues one with:'),
    el('pre', {}, 'cave token issue ORGANIZATION --scope read'),
    error,
    button,
  );
  element.replaceChildren(form);
  token.focus();

  async function submit(event) {
    event.preventDefault();
    error.textContent = '';
    button.disabled = true;
    try {
      await session.signIn(token.value.trim(), {
        onRetry: ({ message, seconds }) => { error.textContent = `${message} Asking again in ${seconds} s.`; },
      });
    } catch (failure) {
      // After a refusal, the session has signed out and the form was shown anew.
      error.textContent = failure.message;
    } finally {
      button.disabled = false;
    }
  }
}
