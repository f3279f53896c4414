"""Errors that keep the embedded log server from running. The messages are for operators."""

from __future__ import annotations


class EmbeddedLogError(Exception):
    """The embedded log server cannot be used."""


class DataDirUnusable(EmbeddedLogError):
    """The data dir cannot be created, written or locked."""


class DataDirInUse(EmbeddedLogError):
    """Another process owns the data dir."""


class SocketPathTooLong(EmbeddedLogError):
    """The socket's path exceeds the operating system's limit for Unix sockets."""


class LogServerFailed(EmbeddedLogError):
    """The server ended while it was starting."""


class LogCorrupt(LogServerFailed):
    """The server refuses its files, and they have more damage than an unacknowledged tail.

    Nothing was changed; starting again will not help.
    """


class LogServerUnreachable(EmbeddedLogError):
    """The data dir has an owner, but its server does not answer."""
