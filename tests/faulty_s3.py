"""An S3 server behind a proxy that fails as it is asked to."""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar, Literal

from moto.server import ThreadedMotoServer

from tests.servers import free_port

Mode = Literal["right", "unavailable", "broken", "silent", "slow"]
"""How requests are answered: rightly, with 503 or 500, by closing the connection, or late."""

SLOW_SECONDS = 1.0
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


class FaultyS3:
    """The proxy's address, and the `mode` that it is in."""

    def __init__(self, port: int, moto_port: int) -> None:
        self.port = port
        self.moto_port = moto_port
        self.mode: Mode = "right"
        self.refused = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def direct_url(self) -> str:
        """The address of the server behind the proxy."""
        return f"http://127.0.0.1:{self.moto_port}"


class _Handler(BaseHTTPRequestHandler):
    s3: ClassVar[FaultyS3]
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        mode = self.s3.mode
        if mode in ("unavailable", "broken"):
            self.s3.refused += 1
            self._refuse(503 if mode == "unavailable" else 500)
        elif mode == "silent":
            self.s3.refused += 1
            self.close_connection = True
        else:
            if mode == "slow":
                time.sleep(SLOW_SECONDS)
            self._forward(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815  the server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as in the base class
        """Log nothing."""

    def _refuse(self, status: int) -> None:
        content = b"" if self.command == "HEAD" else b"<Error><Code>SlowDown</Code></Error>"
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _forward(self, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.s3.moto_port, timeout=30)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
            self.send_response(response.status)
            for name, value in response.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            length = response.headers.get("content-length") if self.command == "HEAD" else None
            self.send_header("content-length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error."""


@contextmanager
def running_faulty_s3() -> Iterator[FaultyS3]:
    """Run the server and the proxy for the block."""
    s3 = FaultyS3(free_port(), free_port())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    moto = ThreadedMotoServer("127.0.0.1", s3.moto_port, verbose=False)
    moto.start()
    handler = type("Handler", (_Handler,), {"s3": s3})
    proxy = _Server(("127.0.0.1", s3.port), handler)
    thread = Thread(target=proxy.serve_forever, name="faulty S3", daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        with suppress(OSError):
            proxy.shutdown()
            proxy.server_close()
        moto.stop()
