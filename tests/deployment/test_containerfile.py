"""Containerfile builds what the service needs, and runs it as it is meant to be run."""

from __future__ import annotations

import re

from entrypoints.cli.options import DEFAULT_PORT
from tests.deployment.files import CONTAINERFILE, DATA_DIR, LIVE, USER, check_command
from tests.docs.markdown import ROOT

TEXT = CONTAINERFILE.read_text()


def test_it_copies_every_package_of_the_distribution_and_no_file_that_is_ignored() -> None:
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, re.MULTILINE))
    names = {name for line in copied for name in line.split()}
    assert {"domain", "application", "adapters", "entrypoints"} <= names
    assert all((ROOT / name).exists() for name in names)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == names


def test_its_settings_and_its_commands_exist() -> None:
    variables = dict(re.findall(r"\b(CAVE_[A-Z_]+)=(\S+)", TEXT))
    assert variables["CAVE_DATA_DIR"] == DATA_DIR
    assert variables["CAVE_PORT"] == str(DEFAULT_PORT)
    assert f"EXPOSE {DEFAULT_PORT}" in TEXT
    assert f"VOLUME {DATA_DIR}" in TEXT
    [command] = re.findall(r'^CMD \["(\w+)"\]$', TEXT, re.MULTILINE)
    check_command([command])
    assert re.findall(r"/health/\w+(?=', )", TEXT) == [LIVE]


def test_it_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (.+)$", TEXT, re.MULTILINE) == [f"{USER}:{USER}"]
