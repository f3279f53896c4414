"""An archiver that seals and trims everything again and again, and dies after a certain step.

Arguments: the data directory, the log server's URL, the step, and after which time it is reached.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from application.event_log.archive import Step
from entrypoints.settings import LogSettings
from entrypoints.wiring.projector import open_log_tools


def main() -> None:
    directory, url, step, times = sys.argv[1:]
    left = int(times)

    def die(reached: Step) -> None:
        nonlocal left
        if reached == step:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    root = Path(directory)
    settings = LogSettings(data_dir=root, redis_url=url, archive=str(root / "archive"))
    with open_log_tools(settings, url, die) as tools:
        assert tools.archiver is not None
        while True:
            tools.archiver.seal_all(lambda done, total: None)
            tools.archiver.trim_all()


if __name__ == "__main__":
    main()
