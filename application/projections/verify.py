"""Use case: verify that a live projection matches the log."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from application.projections.errors import ProjectionMissing
from application.projections.folds import Projection
from application.projections.live import live_generation
from application.projections.ports import Owner, OwnerDigest, ProjectionStores, SetAside
from application.projections.replay import OnProgress, ReplayHandler

NO_ROWS = OwnerDigest(0, 0)


class Difference(Struct, frozen=True):
    """An owner whose rows differ; `live` and `replayed` are its row counts in the two."""

    organization: str
    team: str
    live: int
    replayed: int


class Verified(Struct, frozen=True):
    """`digest` is that of the live rows, in hexadecimal; it does not depend on their order.

    `set_aside` has the events that only one of the two generations set aside.
    """

    digest: str
    rows: int
    differences: tuple[Difference, ...]
    set_aside: tuple[SetAside, ...]

    @property
    def agrees(self) -> bool:
        return not self.differences and not self.set_aside


class VerifyHandler:
    """Replays a projection into a scratch copy and compares it with the live generation.

    Compares the events that the live one had read at the start; it may be written meanwhile.
    """

    def __init__(self, replay: ReplayHandler, stores: ProjectionStores) -> None:
        self._replay = replay
        self._stores = stores

    def __call__(self, projection: Projection, on_progress: OnProgress) -> Verified:
        """Verify the projection.

        Raises ProjectionMissing, LogGap and ProjectionDiverged if events are missing from the log,
        ProjectionBusy if it is already being verified, and what the log and the stores raise.
        """
        live = live_generation(self._stores, projection.name)
        if live is None:
            raise ProjectionMissing(f"the projection {projection.name} was not built yet")
        self._replay.check_complete(projection)
        info = self._stores.info(live)
        up_to = {p: checkpoint.position for p, checkpoint in info.checkpoints.items()}
        scratch = self._replay.scratch(projection, on_progress)
        try:
            of_live = self._stores.digests(live, up_to)
            of_log = self._stores.digests(scratch, up_to)
            set_aside = set(info.set_aside) ^ {
                event
                for event in self._stores.info(scratch).set_aside
                if event.receipt.position <= up_to.get(event.receipt.partition, 0)
            }
        finally:
            self._stores.drop(scratch)
        return Verified(
            digest=_digest(of_live),
            rows=sum(owner.rows for owner in of_live.values()),
            differences=tuple(_differences(of_live, of_log)),
            set_aside=tuple(sorted(set_aside, key=lambda event: event.receipt)),
        )


def _differences(
    live: Mapping[Owner, OwnerDigest], replayed: Mapping[Owner, OwnerDigest]
) -> list[Difference]:
    return [
        Difference(*owner, live.get(owner, NO_ROWS).rows, replayed.get(owner, NO_ROWS).rows)
        for owner in sorted(live.keys() | replayed.keys())
        if live.get(owner, NO_ROWS) != replayed.get(owner, NO_ROWS)
    ]


def _digest(owners: Mapping[Owner, OwnerDigest]) -> str:
    digest = sha256()
    for owner in sorted(owners):
        digest.update(repr((owner, owners[owner].rows, owners[owner].digest)).encode())
    return digest.hexdigest()
