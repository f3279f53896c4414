"""`cave demo`: all of it once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from entrypoints.cli.context import terminated_in_order
from entrypoints.cli.options import example
from entrypoints.cli.values import KeyPrefix, LocalPath, RedisUrl
from entrypoints.errors import CommandFailed
from entrypoints.settings import LogSettings


@click.command(epilog=example("cave demo", "cave demo --data-dir demo-data"))
@click.option(
    "--data-dir",
    type=LocalPath(file_okay=False),
    help="Keep the data there; without it, in a temporary directory that is removed.",
)
@click.option("--redis-url", type=RedisUrl(), help="A log server to use; what is written stays.")
@click.option(
    "--key-prefix",
    type=KeyPrefix(),
    default="cave-demo",
    show_default=True,
    help="What the log's keys begin with.",
)
def demo(data_dir: Path | None, redis_url: str | None, key_prefix: str) -> None:
    """Run the service for some seconds on real readings of this machine.

    Starts it, creates an organization, publishes, and checks that the log holds what was
    acknowledged, nothing less and nothing more. Then it queries, exports and plots what can be
    read, rebuilds it from the log and verifies it. CAVE_* variables do not count here: a demo must
    not write where they point.
    """
    from entrypoints.demo import run_demo

    with terminated_in_order(), TemporaryDirectory(prefix="cave-demo-") as directory:
        scratch = Path(directory)
        log = LogSettings(
            data_dir=data_dir or scratch / "data", redis_url=redis_url, key_prefix=key_prefix
        )
        if not run_demo(Console(), log, scratch):
            raise CommandFailed("something that was claimed does not hold")
