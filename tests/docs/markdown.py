"""Reading Markdown: fenced blocks, links, inline code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """Return the targets of links within the project, without their anchors."""
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    return [target for target in found if "://" not in target]


def codes(page: Path) -> set[str]:
    """Return the inline code."""
    return set(re.findall(r"`([^`\n]+)`", page.read_text()))
