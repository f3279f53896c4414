"""The choice of the log server that a command uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from entrypoints.errors import CommandFailed
from entrypoints.settings import LogSettings


@contextmanager
def reach_log(settings: LogSettings) -> Iterator[str]:
    """Yield the URL of the log server in the settings, else of the embedded one on the data dir.

    Runs the embedded one for the block if it is not running already. Raises CommandFailed.
    """
    if settings.redis_url is not None:
        yield settings.redis_url
        return
    # Imported here: it takes a tenth of a second, which `cave --help` can do without.
    from adapters.embedded_valkey import EmbeddedLogError, reach_log_server

    try:
        with reach_log_server(settings.data_dir, max_memory=settings.max_memory) as url:
            yield url
    except EmbeddedLogError as error:
        raise CommandFailed(str(error)) from error
