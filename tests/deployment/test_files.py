"""Rules for all files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deployment.files import FILES, SETTINGS
from tests.docs.markdown import ROOT


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_of_ours_is_a_setting(path: Path) -> None:
    named = set(re.findall(r"\bCAVE_[A-Z_]+\b", path.read_text()))
    assert named <= SETTINGS["serve"]


def test_every_file_is_named_on_the_page_about_deployment() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    for path in FILES:
        assert path.name in page, path
