"""`cave demo`: every feature once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
from click.core import ParameterSource

from entrypoints.cli.context import terminated_in_order
from entrypoints.cli.options import example, setting
from entrypoints.cli.values import KeyPrefix, LocalPath, RedisUrl, WholeNumber
from entrypoints.errors import CommandFailed
from entrypoints.settings import LogSettings

MAX_HOSTS = 8


@click.command(
    epilog=example(
        "cave demo",
        "cave demo --stay",
        "cave demo --data-dir demo-data",
        "cave demo --hosts 2",
    )
)
@click.option(
    "--hosts",
    type=WholeNumber(1, MAX_HOSTS),
    default=1,
    show_default=True,
    help="With 2 or more, run that many hosts on a log server with replicas, and promote one.",
)
@click.option(
    "--data-dir",
    type=LocalPath(file_okay=False),
    help="Keep the data in this directory instead of a temporary one that is removed.",
)
@setting(
    "--redis-url",
    "CAVE_DEMO_REDIS_URL",
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
@click.pass_context
def demo(
    ctx: click.Context,
    hosts: int,
    data_dir: Path | None,
    redis_url: str | None,
    key_prefix: str,
    *,
    stay: bool,
) -> None:
    """Try every feature once, on metrics of this machine.

    Starts the service, creates an organization, publishes for a few seconds and checks that the log
    holds exactly the acknowledged batches. Then queries, exports and plots the points, rebuilds
    them from the log and verifies the result. Ignores the settings of other commands, so that it
    never writes to your own log.

    With --hosts, starts a log server with two replicas and three Sentinels, PostgreSQL if it is
    installed, an object store for tests, and several hosts. Publishes to all of them while the log
    server is killed, and checks that nothing acknowledged is lost and that all hosts give the same
    answers.
    """
    from rich.console import Console

    from entrypoints.demo import run_demo
    from entrypoints.demo.hosts import run_hosts_demo

    if hosts > 1:
        for name in ("data_dir", "redis_url", "key_prefix"):
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                flag = f"--{name.replace('_', '-')}"
                raise click.UsageError(
                    f"{flag} does not go with --hosts, which has its own servers"
                )
    with terminated_in_order(), TemporaryDirectory(prefix="cave-demo-") as directory:
        scratch = Path(directory)
        if hosts > 1:
            if not run_hosts_demo(Console(), scratch, hosts, stay=stay):
                raise CommandFailed("at least one check failed, see above")
            return
        log = LogSettings(
            data_dir=data_dir or scratch / "data", redis_url=redis_url, key_prefix=key_prefix
        )
        if not run_demo(Console(), log, scratch, stay=stay):
            raise CommandFailed("at least one check failed, see above")
