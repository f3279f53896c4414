"""Programs in browsers may ask from pages of any origin (Fetch Standard, "CORS protocol").

They have to send the token themselves, and what a browser keeps for the user is never used with
the origin `*`. Prometheus allows any origin by default as well.
"""

from __future__ import annotations

from adapters.http.problems import Headers

ANSWER_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Cave-Stale, Date, Retry-After"),
]

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Origin",
    "Access-Control-Max-Age": "86400",
}
"""Besides `Access-Control-Allow-Methods`."""
