"""The short way for queries of points: answered from memory, without ASGI and the framework.

Parsing a request into a scope, routing it and sending an answer as messages takes several times as
long as such a query. Only successful answers are given here. All others are left to the route
`read_metrics`, whose functions are used here, so that both ways answer alike.
"""

from __future__ import annotations

import httptools

from adapters.http.api.organizations import NO_STORE
from adapters.http.api.queries import READ_METRICS, Reading, metrics_body, read_metrics_query
from adapters.http.credentials import presented_token
from adapters.http.heads import parse_head
from adapters.http.problems import Answer, Headers
from adapters.http.telemetry import record_request
from application.projections.folds import POINTS
from domain.token import Scope

_START = b"GET /organizations/"
_HEADERS: Headers = [(name.lower().encode(), value.encode()) for name, value in NO_STORE.items()]


class QueriesAtHand:
    """Answers queries of points that are in memory. For one event loop."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def answer(self, head: bytes) -> Answer | None:
        """Return the answer to a request without a body, None unless it can be given at once.

        `head` ends before its empty line. Never raises: whatever is wrong is found again, and
        answered, in the usual way.
        """
        if not head.startswith(_START):
            return None
        try:
            body = self._body(head)
        except Exception:  # noqa: BLE001
            return None
        if body is None:
            return None
        record_request(READ_METRICS, 200)
        length = b"%d" % len(body)
        return Answer(
            200,
            [(b"content-type", b"application/json"), (b"content-length", length), *_HEADERS],
            body,
        )

    def _body(self, head: bytes) -> bytes | None:
        parsed = parse_head(head)
        if parsed is None or b"content-length" in parsed.headers:
            return None
        url = httptools.parse_url(parsed.url)
        owner = _owner(url.path)
        if owner is None or not self._reading.projections.known_running(POINTS):
            return None
        token = presented_token(parsed.headers.get(b"authorization"))
        grant = self._reading.access.grant(*owner, token, Scope.READ)
        query = read_metrics_query(grant, url.query or b"")
        samples = self._reading.queries.read_metrics.at_hand(query)
        return metrics_body(samples) if samples else None


def _owner(path: bytes) -> tuple[str, str | None] | None:
    """Return the organization and team of a path as documented, None if it is another one."""
    if b"%" in path:
        return None
    match path.decode("ascii").split("/"):
        case ["", "organizations", organization, "metrics"]:
            return organization, None
        case ["", "organizations", organization, "teams", team, "metrics"]:
            return organization, team
    return None
