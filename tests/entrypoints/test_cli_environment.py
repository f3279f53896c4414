"""Variables that are settings, and those that only look like them; paths in a home directory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from entrypoints.cli import main
from entrypoints.cli.environment import Setting, is_platforms, log_what_is_ignored, settings_of
from entrypoints.cli.values import LocalPath, PathOrUrl
from entrypoints.settings import ServiceSettings
from tests.entrypoints.cli_in_memory import CommandLine
from tests.entrypoints.test_cli_commands import commands

SETTINGS = sorted(set(settings_of(main)))


def service_variables(name: str, address: str, port: int, protocol: str) -> dict[str, str]:
    """Return the variables that Kubernetes sets for a service, as documented."""
    prefix = name.upper().replace("-", "_")
    url = f"{protocol}://{address}:{port}"
    kind = protocol.upper()
    return {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(port),
        f"{prefix}_SERVICE_PORT_HTTP_METRICS": str(port),
        f"{prefix}_PORT": url,
        f"{prefix}_PORT_{port}_{kind}": url,
        f"{prefix}_PORT_{port}_{kind}_PROTO": protocol,
        f"{prefix}_PORT_{port}_{kind}_PORT": str(port),
        f"{prefix}_PORT_{port}_{kind}_ADDR": address,
    }


services = st.builds(
    service_variables,
    st.one_of(st.just("cave"), st.from_regex(r"cave(-[a-z0-9]{1,5}){1,3}", fullmatch=True)),
    st.sampled_from(["10.96.0.12", "[fd00::1]", "172.17.0.2"]),
    st.integers(1, 65535),
    st.sampled_from(["tcp", "udp", "sctp"]),
)


@given(services)
def test_variables_set_by_a_platform_are_recognized(variables: dict[str, str]) -> None:
    assert all(is_platforms(variable, value) for variable, value in variables.items())


@pytest.mark.parametrize(
    "name", ["cave", *sorted({name.lower().replace("_", "-") for name in SETTINGS})]
)
def test_a_service_of_any_name_changes_no_setting(cave: CommandLine, name: str) -> None:
    assert cave("serve", **service_variables(name, "10.96.0.12", 8000, "tcp")).exit_code == 0
    assert cave.served == [(ServiceSettings(), "127.0.0.1", 8000)]


def test_no_setting_has_a_name_reserved_to_a_platform() -> None:
    assert not any(is_platforms(variable, "8000") for variable in SETTINGS)


@pytest.mark.parametrize("value", ["abc", "tcp://", "8000tcp", "http://10.0.0.1:80", "tcp://x:y"])
def test_any_other_invalid_value_is_an_error_that_names_the_variable(
    cave: CommandLine, value: str
) -> None:
    result = cave("serve", CAVE_PORT=value)
    assert (result.exit_code, cave.served) == (2, [])
    assert "CAVE_PORT" in result.stderr


def test_ignored_variables_are_logged_by_name() -> None:
    environment = {
        **service_variables("cave", "10.96.0.12", 8000, "tcp"),
        **dict.fromkeys(SETTINGS[:3], "1"),
        "CAVE_DATADIR": "secret",
        "CAVEAT": "emptor",
        "HOME": "/root",
    }
    with capture_logs() as logged:
        log_what_is_ignored(main, environment)
    assert logged == [
        {
            "event": "unknown variable is ignored",
            "log_level": "warning",
            "variable": "CAVE_DATADIR",
        },
        {
            "event": "variable set by the platform is ignored",
            "log_level": "warning",
            "variable": "CAVE_PORT",
            "value": "tcp://10.96.0.12:8000",
        },
    ]


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    for path, command in commands():
        for parameter in command.params:
            yield " ".join((*path, str(parameter.name))), parameter


def test_every_option_with_a_variable_is_a_setting() -> None:
    others = [name for name, found in parameters() if found.envvar]
    assert others == [name for name, found in parameters() if isinstance(found, Setting)]


@pytest.mark.parametrize("command", ["serve", "projector"])
def test_every_option_of_a_process_can_be_set_by_a_variable(command: str) -> None:
    options = [found for found in main.commands[command].params if isinstance(found, click.Option)]
    assert len(options) > 5
    assert [found.name for found in options if not isinstance(found, Setting)] == []


def test_no_secret_has_to_be_on_a_command_line() -> None:
    """Other users of a machine can read every command's arguments, but not its variables."""
    secret = re.compile(r"(token|catalog|archive|password|secret|redis_url)$")
    options = [
        (name, found)
        for name, found in parameters()
        if isinstance(found, click.Option) and not found.is_flag and secret.search(name)
    ]
    assert len(options) > 20
    assert [name for name, found in options if not isinstance(found, Setting)] == []


PATHS = {
    name: found for name, found in parameters() if isinstance(found.type, click.Path | PathOrUrl)
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("value", ["~", "~/x/y"])
def test_a_path_in_any_option_may_begin_with_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    kind: Any = copy(PATHS[name].type)
    kind.exists = False
    kind.dir_okay = kind.file_okay = True
    assert str(kind.convert(value, None, None)) == value.replace("~", str(tmp_path))


@pytest.mark.parametrize("kind", [LocalPath(), PathOrUrl()])
@pytest.mark.parametrize("value", ["x", "./~", "./~/x", "/var/~x", ".", "..", "x~"])
def test_any_other_path_is_taken_as_it_is(kind: Any, value: str) -> None:
    assert kind.convert(value, None, None) == type(kind.convert("x", None, None))(value)


@pytest.mark.parametrize("kind", [LocalPath(), PathOrUrl()])
def test_an_unknown_home_directory_is_refused(kind: Any) -> None:
    with pytest.raises(click.BadParameter, match="~no-such-user has no home directory"):
        kind.convert("~no-such-user/data", None, None)


@pytest.mark.parametrize("url", ["s3://bucket/~/x", "~://x"])
def test_a_url_is_not_expanded(url: str) -> None:
    assert PathOrUrl().convert(url, None, None) == url


def test_a_tilde_is_expanded_in_variables_and_options_alike(
    cave: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    cave("org", "list", CAVE_DATA_DIR="~/x")
    cave("org", "list", "--data-dir=~/x")
    assert [settings.data_dir for settings in cave.opened] == [Path("/home/ada/x")] * 2
