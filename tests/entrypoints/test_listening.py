"""A listening socket that is closed while clients connect resets none of them."""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import suppress

import pytest

from entrypoints.processes.listening import listen, refuse_new

CLIENTS = 4


def accept_all(listener: socket.socket) -> None:
    """Answer all connections that wait."""
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setblocking(True)
                connection.recv(1)
                connection.sendall(b"!")


@pytest.mark.skipif(sys.platform != "linux", reason="sockets have filters on Linux only")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_every_connection_that_was_opened_can_be_accepted(host: str) -> None:
    [listener] = listen(host, 0, 1).sockets
    address = listener.getsockname()
    answers: list[bytes | OSError] = []

    def connect() -> None:
        while True:
            try:
                client = socket.create_connection(address[:2], timeout=10)
            except ConnectionRefusedError:
                return
            with client:
                try:
                    client.sendall(b"?")
                    answers.append(client.recv(1))
                except OSError as error:
                    answers.append(error)

    threads = [threading.Thread(target=connect) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    with listener:
        listener.setblocking(False)
        while len(answers) < 100:
            accept_all(listener)
        refuse_new(listener)
        accept_all(listener)
        time.sleep(0.05)  # in which clients try to connect
        with pytest.raises(BlockingIOError):
            listener.accept()
    for thread in threads:
        thread.join()
    assert set(answers) == {b"!"}
