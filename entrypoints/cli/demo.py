"""`cave demo`: every feature once."""

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


@click.command(epilog=example("cave demo", "cave demo --stay", "cave demo --data-dir demo-data"))
@click.option(
    "--data-dir",
    type=LocalPath(file_okay=False),
    help="Keep the data in this directory instead of a temporary one that is removed.",
)
@click.option(
    "--redis-url",
    type=RedisUrl(),
    help="Use this Redis or Valkey as the log server. The demo's data stays on it.",
)
@click.option(
    "--key-prefix",
    type=KeyPrefix(),
    default="cave-demo",
    show_default=True,
    help="The prefix of the log's keys.",
)
@click.option(
    "--stay",
    is_flag=True,
    help="Keep the service running until Ctrl-C, to look at the metrics in a browser.",
)
def demo(data_dir: Path | None, redis_url: str | None, key_prefix: str, *, stay: bool) -> None:
    """Try every feature once, on metrics of this machine.

    Starts the service, creates an organization, publishes for a few seconds and checks that the log
    holds exactly the acknowledged batches. Then queries, exports and plots the points, rebuilds
    them from the log and verifies the result. Ignores CAVE_* variables, so that it never writes to
    your own log.
    """
    from entrypoints.demo import run_demo

    with terminated_in_order(), TemporaryDirectory(prefix="cave-demo-") as directory:
        scratch = Path(directory)
        log = LogSettings(
            data_dir=data_dir or scratch / "data", redis_url=redis_url, key_prefix=key_prefix
        )
        if not run_demo(Console(), log, scratch, stay=stay):
            raise CommandFailed("at least one check failed, see above")
