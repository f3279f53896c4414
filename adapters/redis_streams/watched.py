"""Servers that may move: who asks where they are, and who hears of it."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import structlog
from redis.exceptions import RedisError

from adapters.redis_streams.urls import Address

POLL_SECONDS = 0.5
"""How often others are asked where the servers are."""

SOONEST_SECONDS = 0.1
"""How soon they are asked again at the earliest, whoever wants it."""

ASKED_SECONDS = 0.5
"""The longest that each of those who are asked may take to answer."""

CONNECT_SECONDS = 1.0
"""The longest that connecting to a server may take: its machine may be gone."""

Where = TypeVar("Where")

_log = structlog.get_logger(__name__)


class Watched(ABC, Generic[Where]):
    """Where the log's servers are, as others say. Thread-safe; close it after use.

    A thread asks regularly. Once it learns that a server is not in charge any more, it shuts down
    the sockets that lead there: whoever waits on a server that hangs, or was cut off, connects
    again.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._sockets: WeakKeyDictionary[socket.socket, Address] = WeakKeyDictionary()
        self._listeners: list[Callable[[Where], None]] = []
        self._closed = threading.Event()
        self._due = threading.Event()
        self._watching: threading.Thread | None = None
        self._silent = False

    @abstractmethod
    def _ask(self) -> Where:
        """Ask where the servers are. Raises redis-py's ConnectionError if nobody says."""

    @abstractmethod
    def _is_in_charge(self, address: Address, where: Where) -> bool:
        """Return whether to go on using connections to a server."""

    def where(self) -> Where:
        """Ask where the servers are now. Raises redis-py's ConnectionError."""
        with self._lock:
            if self._watching is None:
                self._watching = threading.Thread(target=self._watch, name=self._name, daemon=True)
                self._watching.start()
        return self._ask()

    def refresh(self) -> None:
        """Have the thread ask soon. Never blocks."""
        self._due.set()

    def listen(self, listener: Callable[[Where], None]) -> None:
        """Call `listener` with what the thread learns, each time.

        In that thread, so it has to be quick, and must not raise.
        """
        with self._lock:
            self._listeners.append(listener)

    def opened(self, connected: socket.socket, address: Address) -> None:
        """Shut the socket down as soon as the server is not in charge any more."""
        with self._lock:
            self._sockets[connected] = address

    def close(self) -> None:
        """Stop asking. Connections stay as they are."""
        self._closed.set()
        self._due.set()
        if self._watching is not None and self._watching is not threading.current_thread():
            self._watching.join()

    def _watch(self) -> None:
        while not self._closed.wait(SOONEST_SECONDS):
            self._due.wait(POLL_SECONDS - SOONEST_SECONDS)
            self._due.clear()
            if self._closed.is_set():
                return
            try:
                where = self._ask()
            except RedisError as error:
                if not self._silent:
                    _log.warning("it is unknown where the log server is", reason=str(error))
                self._silent = True
                continue
            if self._silent:
                _log.info("it is known again where the log server is")
            self._silent = False
            self._tell(where)

    def _tell(self, where: Where) -> None:
        with self._lock:
            left = {
                each: address
                for each, address in self._sockets.items()
                if not self._is_in_charge(address, where)
            }
            listeners = list(self._listeners)
            for each in left:
                del self._sockets[each]
        for host, port in set(left.values()):
            _log.warning("a log server is not in charge any more", host=host, port=port)
        for each in left:
            with suppress(OSError):  # closed meanwhile
                # Not the method of a TLS socket, which is not for use by two threads.
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for listener in listeners:
            listener(where)
