"""A write cut short by a crash was never acknowledged, and nothing else is lost with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.campaign import Campaign
from tests.service import Service, running


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory))
        with running(service):
            yield Campaign(service)


def append(key: str) -> bytes:
    """Return an append to a stream in the form of the append-only file."""
    words = ["XADD", key, "9999999999999-0", "topic", "metrics.published.v1", "payload", "x" * 300]
    return f"*{len(words)}\r\n".encode() + b"".join(
        f"${len(word)}\r\n{word}\r\n".encode() for word in words
    )


@pytest.mark.parametrize("left", [1, pytest.param(60, marks=pytest.mark.slow), -3])
def test_a_torn_tail_is_cut_and_every_acknowledged_batch_is_kept(
    campaign: Campaign, left: int
) -> None:
    service = campaign.hosts[0]
    with campaign.load():
        pass
    service.kill_all()
    (last, *_) = sorted(service.data_dir.log_path.glob("appendonlydir/*.incr.aof"), reverse=True)
    with last.open("ab") as file:
        file.write(append("{cave:metrics:0}:log")[:left])

    service.start()
    campaign.ledger.check(service)
    with campaign.load():
        pass
    campaign.ledger.check(service)
