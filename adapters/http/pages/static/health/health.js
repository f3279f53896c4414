// The view of an organization's health.

import { el } from '../dom.js';

// Show the view in an element. Returns a function that ends it.
export function showHealth(element, session) {
  element.replaceChildren(
    el('h2', {}, 'Health'),
    el('p', {}, `The health of ${session.identity.organization}.`),
  );
  return () => element.replaceChildren();
}
