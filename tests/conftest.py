"""Settings of all tests: the number of examples per property, and how workers share the tests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

# "quick" is for work on the code, and "ci" for `make test`; `make fuzz` has thousands.
# None has a deadline: machines may be busy, and the first example may have to import NumPy.
settings.register_profile("ci", max_examples=40, deadline=None)
settings.register_profile("quick", max_examples=10, stateful_step_count=20, deadline=None)
settings.load_profile("quick")

TOGETHER = ("tests/browser/", "tests/two_hosts/")
"""Folders whose files run in one worker, because they share a service that is dear to start.

They come first: otherwise the other workers would be idle while the last of them runs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked as slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests unless they are asked for, and put the longest series first."""
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
    items.sort(key=lambda item: not item.nodeid.startswith(TOGETHER))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Return the scheduler for `--dist loadfile`, None to leave another choice as it is."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class FolderOrFileScheduling(LoadFileScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            together = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
            return together or str(super()._split_scope(nodeid))

    return FolderOrFileScheduling(config, log)
