"""A state of the log for tests of what is shown of it."""

from application.archiving.ports import ArchiverState
from application.archiving.status import LogStatus

LOG_STATUS = LogStatus(
    at=1_700_000_000_000,
    archive="/archive",
    partitions=(),
    organizations=0,
    last_sealed=1_700_000_000_000,
    archiver=ArchiverState(at=1_700_000_000_000),
)
