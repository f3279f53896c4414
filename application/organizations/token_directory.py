"""The token directory: a projection of the organizations' log, kept in memory by each worker.

No request waits for it. One thread follows the log (`DirectoryFollower.run`) and any thread may
look up. The follower changes the shared state only by replacing whole immutable values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from msgspec import Struct

from application.errors import DirectoryStale, LogError
from application.organizations.ports import OrganizationLog, RecordedOrganizationEvent
from domain.errors import Forbidden, UnknownOrganization
from domain.events import OrganizationEvent, TokenIssued
from domain.limits import OrganizationLimits
from domain.names import abbreviated
from domain.organization import Organization, evolve, organization_id
from domain.token import Token

MAX_SILENCE = 5.0
"""Seconds without an answer from the log after which the directory is no longer trusted."""

PAGE = 1000
RETRY_DELAY = 0.2
NO_LIMITS = OrganizationLimits()

_log = structlog.get_logger(__name__)


class DirectoryState:
    """The folded state: organizations by aggregate id, and tokens by digest.

    `tokens` maps a digest to the owner's aggregate id and the token's id.
    """

    def __init__(self) -> None:
        self.position = 0
        self.last_event: OrganizationEvent | None = None
        self.organizations: dict[str, Organization] = {}
        self.tokens: dict[str, tuple[str, str]] = {}

    def apply(self, recorded: RecordedOrganizationEvent) -> None:
        event = recorded.event
        aggregate_id = event.originator_id
        self.organizations[aggregate_id] = evolve(self.organizations.get(aggregate_id), event)
        if isinstance(event, TokenIssued):
            self.tokens[event.digest] = (aggregate_id, event.token_id)
        self.position = recorded.position
        self.last_event = event


def fold_new(log: OrganizationLog, state: DirectoryState) -> None:
    """Apply every event above the state's position. Raises LogUnavailable."""
    while page := log.read(state.position, PAGE):
        for recorded in page:
            state.apply(recorded)


class DirectoryStatus(Struct, frozen=True):
    """`caught_up`: it has reached the log's end once; `silence`: seconds without an answer.

    `lost` is the position of the last event that it had read and that the log then had no more, as
    after a failover; None if that never happened.
    """

    caught_up: bool
    silence: float
    position: int
    lost: int | None = None


class TokenDirectory:
    """Looks up organizations and tokens, as of the last event that was read. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._state = DirectoryState()
        self._caught_up = False
        self._lost: int | None = None
        self._heard_at = float("-inf")

    def version(self) -> tuple[DirectoryState, int]:
        """Return a value that changes whenever the result of a look-up may change.

        Raises DirectoryStale.
        """
        self._check_touch()
        return self._state, self._state.position

    def organization(self, name: str) -> Organization:
        """Return the organization. Raises UnknownOrganization, DirectoryStale."""
        self._check_touch()
        found = self._state.organizations.get(organization_id(name))
        if found is None:
            raise UnknownOrganization(f"there is no organization {abbreviated(name)}")
        return found

    def look_up(self, organization: str, digest: str) -> tuple[Organization, Token | None]:
        """Return the organization, and its token with that digest or None.

        Raises UnknownOrganization, DirectoryStale.
        """
        found = self.organization(organization)
        owner, token_id = self._state.tokens.get(digest, ("", ""))
        return found, found.tokens.get(token_id) if owner == found.id else None

    def limits(self, organization: str) -> OrganizationLimits:
        """Return an organization's own limits, as of the last event that was read."""
        found = self._state.organizations.get(organization_id(organization))
        return NO_LIMITS if found is None else found.limits

    def find_owner(self, digest: str) -> tuple[Organization, Token]:
        """Return the organization that has a token with that digest, and the token.

        Raises Forbidden if there is none, DirectoryStale.
        """
        self._check_touch()
        state = self._state
        owner, token_id = state.tokens.get(digest, ("", ""))
        found = state.organizations.get(owner)
        if found is None or (token := found.tokens.get(token_id)) is None:
            raise Forbidden("the token is unknown")
        return found, token

    def _check_touch(self) -> None:
        if self._monotonic() - self._heard_at > MAX_SILENCE:
            raise DirectoryStale("the token directory has lost touch with the log")

    @property
    def status(self) -> DirectoryStatus:
        silence = self._monotonic() - self._heard_at
        return DirectoryStatus(self._caught_up, silence, self._state.position, self._lost)

    def publish(self, state: DirectoryState) -> None:
        """Use `state` from now on. For the follower."""
        self._state = state
        self._caught_up = True
        self.heard()

    def lost(self, position: int) -> None:
        """Note that the log has lost an event that had been read. For the follower."""
        self._lost = max(position, self._lost or 0)

    def heard(self) -> None:
        """Note that the log has just answered. For the follower."""
        self._heard_at = self._monotonic()


class DirectoryFollower:
    """Keeps a directory up to date. After `stop`, `run` returns within a quarter of a second."""

    def __init__(self, log: OrganizationLog, directory: TokenDirectory) -> None:
        self._log = log
        self._directory = directory
        self._state = DirectoryState()
        self._stopped = threading.Event()
        self._lost_touch = False

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Follow the log until stopped. Keeps trying when the log fails; never raises LogError."""
        while not self._stopped.is_set():
            try:
                self.catch_up()
                self._log.wait(self._state.position)
                self._directory.heard()
            except LogError as error:
                if not self._lost_touch:
                    _log.warning("token directory lost touch with the log", reason=str(error))
                self._lost_touch = True
                self._stopped.wait(RETRY_DELAY)

    def catch_up(self) -> None:
        """Fold every event recorded since the last call. Raises LogUnavailable."""
        if self._lost_touch:
            self._check_continuity()
        fold_new(self._log, self._state)
        self._lost_touch = False
        self._directory.publish(self._state)

    def _check_continuity(self) -> None:
        """Start over if the log no longer holds the last event that was folded.

        After a failover that lost writes, positions are reused: the log's next event may then
        belong to a different history.
        """
        position = self._state.position
        if position == 0:
            return
        page = self._log.read(position - 1, 1)
        if page and page[0].position == position and page[0].event == self._state.last_event:
            return
        _log.error("the organizations' log has lost events; rebuilding", position=position)
        self._directory.lost(position)
        self._state = DirectoryState()
