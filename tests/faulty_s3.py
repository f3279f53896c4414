"""An S3 server behind a proxy that fails as it is asked to."""

from __future__ import annotations

import http.client
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import ClassVar, Literal, get_args

from moto.server import ThreadedMotoServer

from tests.servers import free_port

Failure = Literal["unavailable", "broken", "cut", "unanswered", "silent", "slow", "closed"]
"""How requests fail: with a 503; with a 500; by closing the connection before they are done; by
closing it after they are done; without an answer while this lasts; late; or nobody listens."""

FAILURES: tuple[Failure, ...] = get_args(Failure)
SLOW_SECONDS = 1.0
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


class FaultyS3:
    """A proxy that does what it should, except within `failing`.

    `failed` counts the requests that met each failure, by method; of those that found nobody
    listening, only requests on connections that were open before.
    """

    def __init__(self, port: int, moto_port: int) -> None:
        self.port = port
        self.moto_port = moto_port
        self.failed: Counter[tuple[Failure, str]] = Counter()
        self.failure: Failure | None = None
        self.over = Event()
        self._handler = type("Handler", (_Handler,), {"s3": self})
        self._proxy: _Proxy | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def direct_url(self) -> str:
        """The address of the server behind the proxy."""
        return f"http://127.0.0.1:{self.moto_port}"

    @contextmanager
    def failing(self, failure: Failure) -> Iterator[None]:
        """Fail in this way for the block."""
        self.over.clear()
        self.failure = failure
        if failure == "closed":
            self.close()
        try:
            yield
        finally:
            self.failure = None
            self.over.set()
            if failure == "closed":
                self.open()

    def open(self) -> None:
        """Listen."""
        self._proxy = _Proxy(("127.0.0.1", self.port), self._handler)
        Thread(target=self._proxy.serve_forever, args=(0.05,), name="S3", daemon=True).start()

    def close(self) -> None:
        """Stop listening. Does nothing if nobody listens."""
        if self._proxy is not None:
            self._proxy.shutdown()
            self._proxy.server_close()
            self._proxy = None


class _Handler(BaseHTTPRequestHandler):
    s3: ClassVar[FaultyS3]
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        failure = self.s3.failure
        if failure is not None:
            self.s3.failed[failure, self.command] += 1
        match failure:
            case "unavailable":
                self._refuse(503)
            case "broken":
                self._refuse(500)
            case "cut" | "closed":
                self.close_connection = True
            case "unanswered":
                self._forwarded(body)
                self.close_connection = True
            case "silent":
                self.s3.over.wait()
                self.close_connection = True
            case "slow":
                time.sleep(SLOW_SECONDS)
                self._forward(body)
            case None:
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
        response, content = self._forwarded(body)
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = response.headers.get("content-length") if self.command == "HEAD" else None
        self.send_header("content-length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _forwarded(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
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
            return response, response.read()
        finally:
            connection.close()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error."""


@contextmanager
def running_faulty_s3() -> Iterator[FaultyS3]:
    """Run the server and the proxy for the block."""
    s3 = FaultyS3(free_port(), free_port())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    moto = ThreadedMotoServer("127.0.0.1", s3.moto_port, verbose=False)
    moto.start()
    s3.open()
    try:
        yield s3
    finally:
        with suppress(OSError):
            s3.close()
        moto.stop()
