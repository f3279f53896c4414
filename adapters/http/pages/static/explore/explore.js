// The view that finds a metric and draws it.

import { el } from '../dom.js';

// Show the view in an element. Returns a function that ends it.
export function showExplore(element, session, state) {
  element.replaceChildren(el('h2', {}, 'Explore'));
  return () => element.replaceChildren();
}
