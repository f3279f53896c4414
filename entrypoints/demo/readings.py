"""Readings of this machine, as items of a batch."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import psutil

MAX_INTERFACES = 4

Item = dict[str, Any]


class Machine:
    """The present usage of this machine's processors, memory, disk and network."""

    def __init__(self) -> None:
        self._host = socket.gethostname() or "localhost"
        psutil.cpu_percent(percpu=True)  # the first call only starts the measurement

    def read(self) -> list[Item]:
        """Return one item per reading, all with the same time."""
        now = time.time_ns() // 1_000_000
        return [
            {
                "name": name,
                "timestamp": now,
                "value": value,
                "tags": {"host": self._host[:127], **tags},
            }
            for name, value, tags in self._readings()
        ]

    def _readings(self) -> Iterator[tuple[str, float, dict[str, str]]]:
        for core, percent in enumerate(psutil.cpu_percent(percpu=True)):
            yield "machine.cpu.percent", percent, {"core": str(core)}
        memory = psutil.virtual_memory()
        yield "machine.memory.used", memory.used, {"unit": "bytes"}
        yield "machine.memory.available", memory.available, {"unit": "bytes"}
        yield "machine.disk.used", psutil.disk_usage("/").used, {"unit": "bytes", "path": "/"}
        # Not available in containers and on some systems.
        if disk := psutil.disk_io_counters():
            yield "machine.disk.read", disk.read_bytes, {"unit": "bytes"}
            yield "machine.disk.written", disk.write_bytes, {"unit": "bytes"}
        interfaces = sorted(psutil.net_io_counters(pernic=True).items())[:MAX_INTERFACES]
        for interface, network in interfaces:
            tags = {"unit": "bytes", "interface": interface}
            yield "machine.network.received", network.bytes_recv, tags
            yield "machine.network.sent", network.bytes_sent, tags
