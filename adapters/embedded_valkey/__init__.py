"""A Valkey server that we run on a data dir: the log server unless another is configured.

It listens on a Unix socket only, fsyncs its append-only file before every reply, and ends with the
process that started it. Use `reach_log_server` to use a log server for a while, `EmbeddedValkey` to
run one.
"""

from adapters.embedded_valkey.child_process import tied_to_parent
from adapters.embedded_valkey.data_dir import DataDir, Holder, Ownership
from adapters.embedded_valkey.errors import (
    DataDirInUse,
    DataDirUnusable,
    EmbeddedLogError,
    LogCorrupt,
    LogServerFailed,
    LogServerUnreachable,
    SocketPathTooLong,
)
from adapters.embedded_valkey.reach import reach_log_server
from adapters.embedded_valkey.server import EmbeddedValkey

__all__ = [
    "DataDir",
    "DataDirInUse",
    "DataDirUnusable",
    "EmbeddedLogError",
    "EmbeddedValkey",
    "Holder",
    "LogCorrupt",
    "LogServerFailed",
    "LogServerUnreachable",
    "Ownership",
    "SocketPathTooLong",
    "reach_log_server",
    "tied_to_parent",
]
