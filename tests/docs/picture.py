"""Draws the picture in the README: `python -m tests.docs.picture`, or `make picture`.

The samples are invented, a day of latencies with a busy evening; `cave plot`'s own code draws them.
"""

from __future__ import annotations

import io
import math
import random
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from application.reading.ports import Sample
from entrypoints.cli.chart import chart

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "plot.svg"
START = 1_795_564_800_000
PERIOD = 600_000
SAMPLES = 144
WIDTH = 80

SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def samples() -> list[Sample]:
    chance = random.Random(7)
    found = []
    for number in range(SAMPLES):
        hour = number * PERIOD / 3_600_000
        daily = 120 + 60 * math.sin((hour - 9) / 24 * 2 * math.pi)
        evening = 190 * math.exp(-(((hour - 19.5) / 0.9) ** 2))
        found.append(Sample(START + number * PERIOD, daily + evening + chance.uniform(-9, 9)))
    return found


def main() -> None:
    drawn = chart(
        [samples()],
        PERIOD,
        "gilt http.latency, p99, 2026-11-25T00:00Z to 2026-11-25T23:50Z",
        width=WIDTH,
        colored=False,
    )
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text("$ cave plot gilt http.latency --aggregator p99 --period 10m --limit 144"))
    console.print(Text(drawn, style="bright_cyan"))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(
        console.export_svg(title="cave plot", theme=MONOKAI, code_format=SVG, unique_id="plot")
    )


if __name__ == "__main__":
    main()
