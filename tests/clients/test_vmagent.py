"""vmagent scrapes itself, and writes to the service and to a recorder."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.clients.account import Account
from tests.clients.conftest import SECONDS, takes_long
from tests.clients.points import same
from tests.clients.processes import Client, StartClient, listens
from tests.clients.recorder import recording
from tests.clients.remote_write import Recorder
from tests.debian import program
from tests.servers import free_port
from tests.waiting import wait_until

VMAGENT = program("vmagent")

pytestmark = pytest.mark.skipif(
    VMAGENT is None, reason="vmagent is missing; `make clients` fetches it"
)


class Agent:
    """A vmagent, and the second receiver of what it writes."""

    def __init__(
        self, account: Account, recorder_port: int, start: StartClient, directory: Path
    ) -> None:
        self._port = free_port()
        self._config = directory / "vmagent.yml"
        text = account.config("vmagent.yml").replace("scrape_interval: 15s", "scrape_interval: 1s")
        self._config.write_text(text.replace("127.0.0.1:8429", f"127.0.0.1:{self._port}"))
        _, *arguments = shlex.split(account.config("vmagent.sh").replace("\\\n", " "))
        assert VMAGENT
        self.process: Client = start(
            VMAGENT,
            *arguments,
            f"-remoteWrite.url=http://127.0.0.1:{recorder_port}/recorded",
            f"-httpListenAddr=127.0.0.1:{self._port}",
            directory=directory,
        )
        self.wait_until_serving()

    def wait_until_serving(self) -> None:
        """Wait until it answers."""
        wait_until(lambda: self.process.runs() and listens(self._port))

    def stop_scraping(self) -> None:
        """Stop it, which keeps on its disk what was not sent, and start it without targets."""
        self.process.stop()
        text = self._config.read_text()
        self._config.write_text(re.sub(r"targets: \[.*\]", "targets: []", text))
        self.process.start()
        self.wait_until_serving()

    def drain(self, account: Account, recorder: Recorder) -> None:
        """Wait until both receivers have everything.

        The queue alone does not show it: what is being sent is not in the queue.
        """
        wait_until(lambda: self._pending() == 0, 60)
        wait_until(lambda: {*account.stored()} == {*recorder.points}, 60)
        self.process.stop()

    def _pending(self) -> float:
        with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("vmagent_remotewrite_pending_")
        )


def test_nothing_is_lost(account: Account, start_client: StartClient, tmp_path: Path) -> None:
    recorder = Recorder()
    with recording(recorder.record) as port:
        agent = Agent(account, port, start_client, tmp_path)
        wait_until(lambda: recorder.points)
        time.sleep(min(SECONDS, 10))
        agent.stop_scraping()
        agent.drain(account, recorder)
    stored = account.stored()
    same(stored, set(recorder.points))
    assert account.refused() == 0
    assert all(("cluster", "eu-1") in point.tags for point in stored)


@takes_long
def test_a_killed_service_and_a_client_that_starts_again_lose_and_double_nothing(
    disturbed: Account, start_client: StartClient, tmp_path: Path
) -> None:
    recorder = Recorder()
    with recording(recorder.record) as port:
        agent = Agent(disturbed, port, start_client, tmp_path)
        wait_until(lambda: recorder.points)
        disturbed.service.kill_all()
        time.sleep(2)
        agent.stop_scraping()
        disturbed.service.start()
        agent.drain(disturbed, recorder)
    stored = disturbed.stored()
    same(stored, set(recorder.points))
