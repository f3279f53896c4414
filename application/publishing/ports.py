"""Ports of publishing. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.errors import LogError
from application.event_log.receipts import Receipt
from application.publishing.refusals import Refusals
from domain.events import MetricEvent, MetricsPublished
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch


class BodyTerms(Struct, frozen=True):
    """What a format has to know besides the body. Times are in milliseconds since the epoch.

    `latest` is the latest timestamp that is accepted, `received` the time of the request, which
    points have whose protocol lets them leave it out. `max_points` is the maximum number of points,
    the refused ones included (see `application.publishing.limits`). `parameters` are those of the
    URL's query; the last one of a name counts.
    """

    latest: int
    received: int
    max_points: int
    parameters: Mapping[str, str] = {}


class Decoded(Struct, frozen=True):
    """The points of a body, and the descriptions of metrics that came with them.

    `refused` has those that are not in `points`, None if there are none. `timed` says that every
    point carries its own time, so that the same body sent again means the same points. `sent` has
    the number of things stored in the protocol's own terms, where it counts other things than
    points, such as samples and histograms.
    """

    points: PointBatch
    refused: Refusals | None = None
    timed: bool = True
    sent: Mapping[str, int] = {}
    descriptions: Sequence[MetricDescription] = ()


class PointFormat(Protocol):
    """Decodes the bodies of one protocol. For one event loop, which no call blocks for long."""

    repeats: bool
    """Whether clients send a body again after a failure without a key that says so."""

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:
        """Return whether the good points of a body are stored without those that are refused.

        `parameters` are those of the URL's query. Raises InvalidArgument.
        """

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return a body's points in the order they were sent.

        Their timestamps are in milliseconds since the epoch, converted from whatever unit and
        notation the protocol uses. Does not change `body`.

        Raises MalformedBody for a body that is not in the format, InvalidMetrics, which lists the
        faults of its points, if the format refuses a body as a whole for one bad point, and
        BodyTooLarge for more than `max_points`.
        """


class SharedFormat(PointFormat, Protocol):
    """A format that decodes several bodies by one call."""

    def decode_together(
        self, bodies: Sequence[bytes], terms: BodyTerms
    ) -> Sequence[PointBatch | None]:
        """Return each body's points, None for a body that `decode` has to look at.

        Those it returns are the same as those of `decode`, and at least one point. Raises nothing.
        """


class Idempotency(Struct, frozen=True):
    """A client's key for a batch, with a digest of the body and of the team it is published for.

    `repeat` says that the key is made of the body, and remembered for 10 minutes instead of 24 h.
    """

    key: str
    body_digest: bytes
    repeat: bool = False


class Appended(Struct, frozen=True):
    """The place of an event in the log. `replayed`: it was already there, with the same key."""

    receipt: Receipt
    replayed: bool = False


class IdempotencyRecords(Struct, frozen=True):
    """How many idempotency keys are remembered, and how many may be."""

    records: int
    limit: int


class MetricLog(Protocol):
    """The writing side of the metric log. For one event loop; no call blocks it."""

    @property
    def single_server(self) -> bool:
        """Whether all events go to one server."""

    async def append(self, event: MetricEvent, idempotency: Idempotency | None = None) -> Appended:
        """Append one event and return once it is as durable as the log was set to be.

        The order of concurrent appends is undefined. An append that begins after another one has
        returned comes after it in its partition.

        With `idempotency`, nothing is written if the organization has used the key within the last
        24 h, or 10 minutes if it is a `repeat`. The first receipt is then returned if the digests
        are equal, and IdempotencyConflict raised if they are not. IdempotencyFull is raised, and
        nothing written, if the key is new and the log remembers as many keys as it may.

        Raises LogUnavailable, LogFull or LogSaturated if nothing was written, OutcomeUnknown if the
        event may or may not have been. Never retries.
        """

    async def recall(self, organization: str, idempotency: Idempotency) -> Appended | None:
        """Return what `append` would for a key that the organization has used, else None.

        Writes nothing. Raises IdempotencyConflict, LogUnavailable, OutcomeUnknown.
        """

    async def append_together(
        self, events: Sequence[MetricsPublished]
    ) -> Sequence[Receipt | LogError]:
        """Append events as `append` does each of them without a key, in one go.

        Returns once each of them is durable or has failed: its receipt, or the error that `append`
        raises. One that fails does not hold up the others. Raises LogUnavailable or LogSaturated if
        none of them was written, OutcomeUnknown if any of them may have been.
        """


class KnownDescriptions(Protocol):
    """The descriptions of metrics that have been recorded. Thread-safe; calls block."""

    def descriptions(self, organization: str, team: str | None) -> Mapping[str, MetricDescription]:
        """Return the last description of each of an owner's metrics that has one, by name.

        Those recorded within the last two seconds may be missing. Raises ProjectionError if they
        cannot be read now.
        """
