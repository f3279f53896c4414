"""A Valkey server of our own on a data dir: the log server where no other is named.

It listens on a Unix socket only, fsyncs its append-only file before every reply, and ends with the
process that started it. `reach_log_server` is for who needs a log server for a while,
`EmbeddedValkey` for who runs one.
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
