// The colour scheme: the system's, or the one that was chosen. Runs before the page is drawn.
'use strict';

(() => {
  const KEY = 'cave.theme';
  const CHOICES = ['system', 'light', 'dark'];

  function chosen() {
    const kept = localStorage.getItem(KEY);
    return CHOICES.includes(kept) ? kept : 'system';
  }

  function apply() {
    const choice = chosen();
    if (choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
  }

  function choose(choice) {
    localStorage.setItem(KEY, choice);
    apply();
    document.dispatchEvent(new Event('cave:theme'));
  }

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
    document.dispatchEvent(new Event('cave:theme')),
  );
  globalThis.caveTheme = { CHOICES, chosen, choose };
  apply();
})();
