"""What can keep the embedded log server from running. Each message is for an operator to read."""

from __future__ import annotations


class EmbeddedLogError(Exception):
    """The embedded log server cannot be used."""


class DataDirUnusable(EmbeddedLogError):
    """The data dir cannot be created, written or locked."""


class DataDirInUse(EmbeddedLogError):
    """Another process owns the data dir."""


class SocketPathTooLong(EmbeddedLogError):
    """The operating system allows no Unix socket at a path of that length."""


class LogServerFailed(EmbeddedLogError):
    """The server ended while it was starting."""


class LogCorrupt(LogServerFailed):
    """The server refuses its files, and more than an unacknowledged tail is wrong with them.

    Nothing was changed; starting again will not help.
    """


class LogServerUnreachable(EmbeddedLogError):
    """The data dir has an owner, but its server does not answer."""
