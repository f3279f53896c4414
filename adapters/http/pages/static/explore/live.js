// Repeats something while the page can be seen.

const LEAST = 5_000;
const MOST = 60_000;

// Return how long to wait between two answers of a period, in milliseconds.
export function pauseFor(period) {
  return Math.min(Math.max(period / 2, LEAST), MOST);
}

// Return `{after(milliseconds), stop()}`. `after` calls `again` once that much later; while the page
// is hidden, it waits until it is shown. `onPause(paused)` reports both changes.
export function repeater(again, onPause) {
  let timer = null;
  let due = false;

  function onVisibility() {
    onPause(document.hidden);
    if (!document.hidden && due) run();
  }

  function run() {
    due = document.hidden;
    if (!due) again();
  }

  document.addEventListener('visibilitychange', onVisibility);
  return {
    after(milliseconds) {
      clearTimeout(timer);
      due = false;
      timer = setTimeout(run, milliseconds);
    },
    stop() {
      clearTimeout(timer);
      due = false;
      document.removeEventListener('visibilitychange', onVisibility);
    },
  };
}
