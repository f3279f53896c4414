// The token and the requests made with it. The token is in the tab's session storage and in the
// header Authorization, and nowhere else.

const KEY = 'cave.token';
const ATTEMPTS = 5;
const MAX_WAIT_SECONDS = 30;

// An answer that is an error. `message` is the API's own text; `status` is 0 without an answer.
export class ApiError extends Error {
  constructor(message, status, retryAfter = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// A session. It dispatches `signedin` and `signedout`; after the latter, `reason` is a text or ''.
export class Session extends EventTarget {
  constructor(storage = sessionStorage) {
    super();
    this.storage = storage;
    this.identity = null; // {organization, team, scopes} of the token
    this.team = ''; // a team of the organization, whose data its token looks at; '' for its own
    this.reason = '';
  }

  get hasToken() {
    return this.storage.getItem(KEY) !== null;
  }

  // The path of the organization or team whose data are shown, without a slash at the end.
  get ownerPath() {
    const { organization, team } = this.identity;
    const shown = team ?? (this.team || null);
    const path = `/organizations/${encodeURIComponent(organization)}`;
    return shown === null ? path : `${path}/teams/${encodeURIComponent(shown)}`;
  }

  // Check a token, by default the kept one, and keep it. `options` are those of `request`. Throws
  // ApiError, after signing out if the service refused the token.
  async signIn(token = this.storage.getItem(KEY), options = {}) {
    try {
      this.identity = await answerTo('/whoami', {}, token, options);
    } catch (error) {
      if (isRefusal(error)) this.signOut(error.message);
      throw error;
    }
    this.storage.setItem(KEY, token);
    this.reason = '';
    this.dispatchEvent(new Event('signedin'));
  }

  signOut(reason = '') {
    this.storage.removeItem(KEY);
    this.identity = null;
    this.reason = reason;
    this.dispatchEvent(new Event('signedout'));
  }

  // Return the JSON of a GET. A parameter is a text, number or list of them; '', null and undefined
  // are left out. A 503 is tried again after its Retry-After. `options`: `signal` (AbortSignal),
  // `onRetry({message, seconds})`, `onStale(time)` for an answer from a stopped projection.
  // Throws ApiError with the API's text. Signs out if the token is no longer accepted.
  async request(path, parameters = {}, options = {}) {
    const token = this.storage.getItem(KEY);
    try {
      return await answerTo(path, parameters, token, options);
    } catch (error) {
      if (isRefusal(error) && path !== '/whoami') await this.#checkToken(token, options.signal);
      throw error;
    }
  }

  // A 403 may be about the scope or about the token: only the latter ends the session.
  async #checkToken(token, signal) {
    try {
      await answerTo('/whoami', {}, token, { signal });
    } catch (error) {
      if (isRefusal(error) && this.storage.getItem(KEY) === token) this.signOut(error.message);
    }
  }
}

function isRefusal(error) {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}

async function answerTo(path, parameters, token, { signal, onRetry, onStale }) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(path, parameters, token, signal, onStale);
    } catch (error) {
      const again = error.status === 503 && error.retryAfter !== null && attempt < ATTEMPTS;
      if (!again) throw error;
      const seconds = Math.min(error.retryAfter, MAX_WAIT_SECONDS);
      onRetry?.({ message: error.message, seconds });
      await pause(seconds * 1000, signal);
    }
  }
}

async function once(path, parameters, token, signal, onStale) {
  let response;
  try {
    response = await fetch(urlOf(path, parameters), {
      headers: { Authorization: `Bearer ${token}`, Accept: 'application/json' },
      cache: 'no-store',
      credentials: 'omit',
      signal,
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    if (error.name === 'TypeError' && !isHeaderText(token)) {
      throw new ApiError('the token has characters that no token has', 401);
    }
    throw new ApiError('the service cannot be reached', 0);
  }
  if (!response.ok) throw await failure(response);
  const stale = response.headers.get('Cave-Stale');
  if (stale !== null) onStale?.(stale);
  return response.json();
}

function isHeaderText(token) {
  return /^[\x21-\x7e]+$/.test(token);
}

// A path of the API is below the page's own, which a proxy may have moved.
function urlOf(path, parameters) {
  const url = new URL(path.replace(/^\//, ''), document.baseURI);
  for (const [name, given] of Object.entries(parameters)) {
    for (const value of Array.isArray(given) ? given : [given]) {
      if (value !== '' && value !== null && value !== undefined) url.searchParams.append(name, value);
    }
  }
  return url;
}

// Return the error that an answer reports: a problem document, or Prometheus' form.
async function failure(response) {
  const waits = response.headers.get('Retry-After');
  const seconds = waits !== null && /^\d+$/.test(waits) ? Number(waits) : null;
  let text = `${response.status} ${response.statusText}`.trim();
  try {
    const body = await response.json();
    text = body.detail ?? body.error ?? text;
  } catch (error) {
    if (error.name === 'AbortError') throw error;
  }
  return new ApiError(text, response.status, seconds);
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
