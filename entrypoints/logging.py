"""The service's own log: one JSON object per line, on standard error."""

from __future__ import annotations

import logging
import os
import sys

import structlog

LEVEL_VARIABLE = "CAVE_LOG_LEVEL"


def configure_logging(level: str | None = None) -> None:
    """Write records of `level` and above, ours and those of libraries, to standard error.

    `level` is a name such as ``info``, by default CAVE_LOG_LEVEL, otherwise ``info``. Can be called
    again. Raises ValueError for an unknown level.
    """
    name = level or os.environ.get(LEVEL_VARIABLE) or "info"
    number = logging.getLevelNamesMapping().get(name.upper())
    if number is None:
        raise ValueError(f"{LEVEL_VARIABLE}: unknown level {name!r}")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
