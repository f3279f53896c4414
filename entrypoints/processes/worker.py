"""A worker process of `cave serve`: the HTTP service on a socket that it inherits."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from functools import partial
from typing import Any, cast

import uvicorn
import uvloop

from adapters.http.api.queries import Reading
from adapters.http.api.queries_at_hand import QueriesAtHand
from adapters.http.app import create_app
from adapters.http.publish.endpoint import LARGE, PublishEndpoint
from adapters.http.publish.plain_heads import PlainHeads
from adapters.http.publish.plain_publish import PlainPublish
from adapters.http.publish.protocol import PublishProtocol
from adapters.http.telemetry import shared_with_workers
from adapters.point_formats.formats import all_formats, shared_format
from application.errors import LogError
from entrypoints.logging import configure_logging
from entrypoints.processes.arenas import limit_arenas
from entrypoints.processes.listening import refuse_new
from entrypoints.processes.worker_config import WorkerConfig
from entrypoints.program import SUPERVISOR_FD
from entrypoints.wiring.service import open_use_cases

SHUTDOWN_SECONDS = 20
"""How long requests in flight may take once the worker is asked to stop."""

BACKLOG = 2048

HANDSHAKE_SECONDS = 0.1
"""How long a stopping worker waits for connections that are half open: a round trip."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: applications send their metrics at least once per minute."""


async def work(config: WorkerConfig) -> None:
    """Serve until the supervisor asks to stop, then answer the requests already sent and close."""
    settings = config.settings
    limits = settings.limits
    async with open_use_cases(settings, config.url) as use_cases:
        formats = all_formats(limits.max_points, settings.otlp_resource_attributes)
        publish = PublishEndpoint(
            use_cases.access,
            use_cases.publish_metrics,
            formats,
            max_body=limits.max_body,
            max_inflated=limits.max_inflated,
            max_body_memory=limits.max_body_memory,
        )
        plain_publish = PlainPublish(publish, use_cases.publish_together, shared_format(formats))
        heads = PlainHeads(min(LARGE, limits.max_body))
        queries = QueriesAtHand(Reading.of(use_cases))
        app = create_app(use_cases, publish, operator_token=settings.operator_token)
        server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                # uvicorn expects a class, but only calls it.
                http=cast("Any", partial(PublishProtocol, heads, plain_publish, queries)),
                ws="none",
                lifespan="off",
                interface="asgi3",
                workers=1,  # not what WEB_CONCURRENCY says
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ),
            config,
        )
        # Everything loaded so far stays: garbage collections need not look at it.
        gc.collect()
        gc.freeze()
        with socket.socket(fileno=config.fd) as listener, _shared_metrics(config):
            await server.serve(sockets=[listener])


def _shared_metrics(config: WorkerConfig) -> AbstractContextManager[None]:
    if config.metrics_dir is None:
        return nullcontext()
    return shared_with_workers(config.metrics_dir)


class _Server(uvicorn.Server):
    """Stops when the supervisor closes its end of the pipe; workers ignore signals."""

    def __init__(self, server_config: uvicorn.Config, config: WorkerConfig) -> None:
        super().__init__(server_config)
        self._worker_config = config

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().add_reader(SUPERVISOR_FD, self._supervisor_asks)
        await super().startup(sockets)
        if self.started:
            self._worker_config.say_ready()

    def _supervisor_asks(self) -> None:
        asyncio.get_running_loop().remove_reader(SUPERVISOR_FD)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, but answer the connections that the kernel has accepted already.

        Closing the last copy of a listening socket resets them. So one copy is kept until the event
        loop has released the others, and closed once no connection waits on it.
        """
        for listener in sockets or []:
            refuse_new(listener)
        await asyncio.sleep(HANDSHAKE_SECONDS)
        with ExitStack() as copies:
            kept = [copies.enter_context(listener.dup()) for listener in sockets or []]
            for server in self.servers:
                server.close()
            for listener in sockets or []:
                listener.close()
            await asyncio.sleep(0)
            for listener in kept:
                await self._accept_waiting(listener)
        await super().shutdown(sockets)

    async def _accept_waiting(self, listener: socket.socket) -> None:
        listener.settimeout(0)
        make_protocol = partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        with suppress(OSError):  # no connection left, or it cannot be accepted
            while True:
                connection, _ = listener.accept()
                await asyncio.get_running_loop().connect_accepted_socket(make_protocol, connection)


def main() -> int:
    limit_arenas()
    configure_logging()
    config = WorkerConfig.from_environment()
    try:
        uvloop.run(work(config))
    except (LogError, ValueError) as error:
        config.say_failed(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
