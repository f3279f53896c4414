"""`python -m tests.benchmarks [PART] [--quick] [--json FILE] [--rounds N]`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import msgspec
from msgspec.structs import replace
from rich.console import Console

from tests.benchmarks import load
from tests.benchmarks.bench import QUICK, Bench, Settings
from tests.benchmarks.contestants import ALL
from tests.benchmarks.goals import GOALS
from tests.benchmarks.markdown import sections
from tests.benchmarks.parts import PARTS
from tests.benchmarks.report import CAVEATS, Report, machine, show
from tests.benchmarks.results import cells, verdicts

WIDTH = 200


def main() -> int:
    """Measure, print the report, and return the exit status: 1 if nothing could be measured."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = _parser().parse_args()
    settings = _settings(arguments)
    bench = Bench(settings)
    before = machine()
    chosen = list(PARTS) if arguments.part == "all" else [arguments.part]
    missing = {c.name: why for c in ALL if (why := c.missing()) is not None}
    if (why := load.missing()) is not None:
        missing["wrk"] = why
        for part in [part for part in chosen if part in NEED_WRK]:
            chosen.remove(part)
            bench.note(f"{part} was not measured: {why}.")
    try:
        for part in chosen:
            PARTS[part](bench)
    except KeyboardInterrupt:
        bench.note("Interrupted: the report has the measurements made before.")
    report = Report(
        caveats=CAVEATS,
        machine=before,
        versions=_versions(missing),
        missing=missing,
        settings=settings,
        notes=bench.notes,
        cells=cells(bench.measurements),
        verdicts=verdicts(bench.measurements, GOALS),
        measurements=bench.measurements,
    )
    show(report, Console() if sys.stdout.isatty() else Console(width=WIDTH))
    if arguments.json is not None:
        written = msgspec.json.format(msgspec.json.encode(report), indent=1)
        arguments.json.write_bytes(written + b"\n")
    if arguments.markdown is not None:
        arguments.markdown.write_text(sections(report))
    return 0 if bench.measurements else 1


NEED_WRK = ("publish", "latency", "busy", "workers")


def _versions(missing: dict[str, str]) -> dict[str, str]:
    # VictoriaMetrics is two contestants, but one program.
    programs = {c.name.partition(" /")[0]: c for c in ALL if c.name not in missing}
    versions = {name: c.version() for name, c in programs.items() if not name.endswith(" import")}
    if "wrk" not in missing:
        versions["wrk"] = load.version()
    return versions


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = QUICK if arguments.quick else Settings()
    given = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "sizes": arguments.sizes,
        "connections": arguments.connections,
        "total": arguments.total,
        "rate": arguments.rate,
        "memory_seconds": arguments.memory_seconds,
        "go_procs": arguments.go_procs,
        "only": arguments.only,
        "expressions": arguments.expressions,
        "series": arguments.series,
    }
    return replace(settings, **{k: v for k, v in given.items() if v is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Compare CAVE with VictoriaMetrics, InfluxDB and an empty application.",
        epilog="Method and caveats: docs/benchmarks.md.",
    )
    add = parser.add_argument
    add("part", nargs="?", choices=[*PARTS, "all"], default="all")
    add("--quick", action="store_true", help="fewer settings and shorter rounds")
    add("--json", type=Path, metavar="FILE", help="also write the complete report to FILE")
    add("--markdown", type=Path, metavar="FILE", help="also write the tables of docs/ to FILE")
    add("--rounds", type=int, help="rounds per setting")
    add("--seconds", type=int, help="seconds per round")
    add("--sizes", type=int, nargs="+", metavar="POINTS", help="points per request")
    add("--connections", type=int, nargs="+", help="numbers of connections of wrk")
    add(
        "--only",
        nargs="+",
        metavar="NAME",
        help="only these contestants, by their names in the report",
    )
    add("--total", type=int, metavar="POINTS", help="points to store, in parts with a fixed number")
    add("--rate", type=int, metavar="POINTS", help="points per second of the memory part")
    add(
        "--memory-seconds",
        type=int,
        metavar="N",
        help="seconds of the memory part, 3600 by default",
    )
    add("--expressions", metavar="FILE", help="expressions of the PromQL part")
    add(
        "--series",
        type=int,
        metavar="N",
        help="series of the PromQL part (2000) or of the cardinality part (200,000)",
    )
    add("--go-procs", type=int, metavar="N", help="GOMAXPROCS of the contestants in Go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
