"""The page about clients has the configurations that the tests use."""

from __future__ import annotations

import re

from tests.clients.account import CONFIGS
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "protocols" / "clients.md"
COMMANDS = {"k6 run --out experimental-prometheus-rw script.js\n"}


def test_every_block_is_a_tested_configuration_and_every_configuration_is_a_block() -> None:
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    tested = {file.read_text() for file in CONFIGS.iterdir() if file.is_file()}
    assert set(blocks) - COMMANDS == tested
