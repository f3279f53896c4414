"""The interface of the fences of both layouts, as the store and the upkeep use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from application.projections.ports import Checkpoint


class WriterFence(Protocol):
    """What a writer may commit to a generation, and what it may not any more.

    Every method but `writes` raises ProjectionBusy once another process has taken over, and
    StoreUnavailable or duckdb.Error if it fails; nothing is committed then. For one thread.
    """

    @property
    def is_alone(self) -> bool:
        """Whether nobody else may write this generation."""

    @property
    def keeps_files(self) -> bool:
        """Whether this writer merges and deletes files; one writer of a generation does."""

    def writes(self, partition: int) -> bool:
        """Return whether this writer writes a partition."""

    def balance(self) -> bool:
        """Take and give up partitions as other writers come and go; return whether any changed."""

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        """Return the checkpoints of this writer's partitions, on which its commits are based."""

    def committing(self, checkpoints: Sequence[Checkpoint]) -> AbstractContextManager[None]:
        """Commit what the block does, and these checkpoints, in one transaction.

        Raises StoreUnavailable if anybody else has written these partitions.
        """

    def compact(self) -> None:
        """Remove outdated checkpoints of this writer's partitions from the catalog."""

    def rewrite(self, work: Callable[[], object]) -> bool:
        """Commit a merge of files. Returns False if other writers' commits were always faster."""

    def end_others(self) -> None:
        """Make sure that no transaction which has begun before this call can still be committed.

        Transactions of this writer do not count.
        """
