"""A stand-in for an object store: moto's S3 server, which keeps objects in memory."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from entrypoints.demo.hosts.log_servers import LOOPBACK, free_port
from entrypoints.demo.processes import running_server
from entrypoints.demo.service import without_settings
from entrypoints.errors import CommandFailed
from entrypoints.program import python_module

BUCKET = "cave"
ANSWER_SECONDS = 10.0


class ObjectStore(Struct, frozen=True):
    """A bucket's URL, and the variables with which it is reached."""

    url: str
    variables: Mapping[str, str]


def is_installed() -> bool:
    """Return whether moto is here, and what its server needs."""
    return all(find_spec(name) is not None for name in ("moto", "flask", "flask_cors"))


@contextmanager
def running_object_store(directory: Path) -> Iterator[ObjectStore]:
    """Run the server for the block, with an empty bucket. Raises CommandFailed."""
    port = free_port()
    command = [*python_module("moto.server"), "-H", LOOPBACK, "-p", str(port)]
    with running_server(
        "object-store",
        command,
        directory,
        lambda: _answers(port),
        environment=without_settings(),
    ):
        if (status := _put(port, f"/{BUCKET}")) != http.client.OK:
            raise CommandFailed(f"the object store made no bucket: {status}")
        yield ObjectStore(
            f"s3://{BUCKET}",
            {
                "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "demo",
                "AWS_SECRET_ACCESS_KEY": "demo",
            },
        )


def _answers(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return _ask(port, "GET", "/") < http.client.INTERNAL_SERVER_ERROR
    return False


def _put(port: int, path: str) -> int:
    return _ask(port, "PUT", path)


def _ask(port: int, method: str, path: str) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()
