"""Publishes over HTTP for minutes at full speed, and shows how much memory the log server takes.

    python -m tests.benchmarks.soak [SECONDS] [HOT_MEMORY]

Starts a service of its own, with one worker, and sends batches of 1000 points over 32 connections.
Prints a line every ten seconds: points so far, the server's memory, and events by tier.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

from redis import Redis

from tests.benchmarks.contestants.base import Place
from tests.benchmarks.contestants.cave import Cave
from tests.benchmarks.load import Load, load
from tests.benchmarks.prepared import write_requests

POINTS = 1000
CONNECTIONS = 32
EVERY = 10.0


def soak(directory: Path, seconds: int, hot_memory: str) -> None:
    cores = sorted(os.sched_getaffinity(0))
    place = Place(directory, cores, workers=1)
    with Cave(options=("--hot-memory", hot_memory)).running(place) as server:
        requests = directory / "requests"
        write_requests(requests, server.head, server.form, POINTS)
        done: list[Load] = []
        sending = threading.Thread(
            target=lambda: done.append(
                load(server.port, requests, connections=CONNECTIONS, seconds=seconds, cores=cores)
            )
        )
        began = time.monotonic()
        sending.start()
        most = 0
        with Redis.from_url(f"unix://{directory / 'data' / 'valkey.sock'}") as client:
            while sending.is_alive():
                sending.join(EVERY)
                used = int(client.info("memory")["used_memory"])
                most = max(most, used)
                text = server.get("/metrics").decode()
                tiers = re.findall(r'^(cave_log_\w+\{tier="\w+"\}) (\S+)', text, re.MULTILINE)
                print(
                    f"{time.monotonic() - began:4.0f} s, {server.accepted():,} points, "
                    f"server {used >> 20} MiB, most {most >> 20} MiB, {dict(tiers)}",
                    flush=True,
                )
        print(f"{done[0].rate * POINTS:,.0f} points/s, p99 {done[0].p99 / 1000:.1f} ms")
        print(done[0].fault() or "every request was acknowledged")


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    hot_memory = sys.argv[2] if len(sys.argv) > 2 else "64MiB"
    with tempfile.TemporaryDirectory(prefix="cave-soak-") as directory:
        soak(Path(directory), seconds, hot_memory)


if __name__ == "__main__":
    main()
