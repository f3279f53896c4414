"""`cave org`, `cave team`, `cave token`."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.entrypoints.cli_in_memory import CommandLine

TOKEN = re.compile(r"cave_[A-Za-z0-9_-]{43}")


def test_org_create_prints_the_token_and_how_to_use_it(cave: CommandLine) -> None:
    output = cave.output("org", "create", "gilt", "--email", "ops@gilt.example")
    tokens = TOKEN.findall(output)
    assert len(tokens) == 2
    assert f"-u {tokens[0]}:" in output
    assert "http://127.0.0.1:8000/organizations/gilt/metrics" in output
    assert "ops@gilt.example" in output


def test_org_create_quiet_prints_the_token_alone(cave: CommandLine) -> None:
    assert TOKEN.fullmatch(cave.output("org", "create", "gilt", "--quiet").removesuffix("\n"))


def test_org_create_json_has_the_value_the_token_and_the_organization(cave: CommandLine) -> None:
    url = "https://gilt.example/hook"
    [record] = cave.json("org", "create", "gilt", "--notification-url", url)
    assert TOKEN.fullmatch(record["value"])
    assert record["token"]["description"] == "default"
    assert record["token"]["scopes"] == ["publish"]
    assert record["organization"] == {
        "name": "gilt",
        "email": None,
        "notification_url": url,
        "created_at": "2014-10-24T12:37:28.000Z",
        "teams": [],
        "active_tokens": 1,
    }


def test_an_organization_is_created_once(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    assert cave.error("org", "create", "gilt") == "there already is an organization 'gilt'"


@pytest.mark.parametrize(
    "arguments",
    [
        ("org", "create", "no spaces"),
        ("org", "create", "gilt", "--email", "nobody"),
        ("org", "create", "gilt", "--notification-url", "ftp://gilt.example"),
        ("org", "create", "gilt", "--json", "--quiet"),
        ("token", "issue", "gilt", "--scope", "fly"),
        ("token", "issue", "gilt", "--expires-in", "soon"),
        ("token", "issue", "gilt", "--expires-in", "999999999999w"),
        ("org", "create"),
        ("org", "destroy", "gilt"),
    ],
)
def test_an_invalid_value_is_a_usage_error(cave: CommandLine, arguments: tuple[str, ...]) -> None:
    result = cave(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: cave" in result.stderr


def test_org_list_is_by_name(cave: CommandLine) -> None:
    for name in ("zalando", "gilt"):
        cave.output("org", "create", name)
    assert [record["name"] for record in cave.json("org", "list")] == ["gilt", "zalando"]
    header, *rows = cave.output("org", "list").splitlines()
    assert header.split() == ["name", "email", "created", "teams", "active", "tokens"]
    assert rows[0].split() == ["gilt", "-", "2014-10-24T12:37:28.000Z", "0", "1"]


def test_org_list_of_none_prints_no_record(cave: CommandLine) -> None:
    assert cave.json("org", "list") == []


def test_org_show_includes_the_tokens_of_teams(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    cave.output("team", "create", "gilt", "web")
    [record] = cave.json("org", "show", "gilt")
    assert record["teams"] == ["web"]
    assert [token["team"] for token in record["tokens"]] == [None, "web"]
    output = cave.output("org", "show", "gilt")
    for token in record["tokens"]:
        assert token["id"] in output


@pytest.mark.parametrize(
    "arguments",
    [
        ("org", "show", "gilt"),
        ("team", "list", "gilt"),
        ("team", "create", "gilt", "web"),
        ("token", "issue", "gilt"),
        ("token", "list", "gilt"),
        ("token", "revoke", "gilt", "t1"),
        ("events", "tail", "--org", "gilt"),
    ],
)
def test_an_unknown_organization_is_a_failure(
    cave: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert cave.error(*arguments) == "there is no organization 'gilt'"


def test_team_create_issues_a_token_of_the_team(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    [record] = cave.json("team", "create", "gilt", "web")
    assert record["team"]["name"] == record["token"]["team"] == "web"
    assert record["team"]["active_tokens"] == 1
    quiet = cave.output("team", "create", "gilt", "ops", "--quiet")
    assert TOKEN.fullmatch(quiet.removesuffix("\n"))
    assert "/organizations/gilt/teams/db/metrics" in cave.output("team", "create", "gilt", "db")
    assert [team["name"] for team in cave.json("team", "list", "gilt")] == ["db", "ops", "web"]
    assert "web" in cave.output("team", "list", "gilt")


def test_token_issue_takes_scopes_and_an_expiry(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    [record] = cave.json(
        *("token", "issue", "gilt", "--description", "nightly"),
        *("--scope", "read", "--scope", "publish", "--expires-in", "90d"),
    )
    token = record["token"]
    assert (token["description"], token["scopes"]) == ("nightly", ["publish", "read"])
    assert token["expires_at"] == "2015-01-22T12:37:28.000Z"
    assert "2015-01-22T12:37:28.000Z" in cave.output("token", "list", "gilt")


def test_token_list_is_the_owners(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    cave.output("team", "create", "gilt", "web")
    cave.output("token", "issue", "gilt", "--team", "web", "--expires-in", "1h", "--quiet")
    assert len(cave.json("token", "list", "gilt")) == 1
    cave.now += timedelta(hours=1)
    states = [token["state"] for token in cave.json("token", "list", "gilt", "--team", "web")]
    assert states == ["active", "expired"]
    assert "no team 'ops'" in cave.error("token", "list", "gilt", "--team", "ops")


def test_token_values_are_shown_only_once(cave: CommandLine) -> None:
    value = cave.output("org", "create", "gilt", "--quiet").strip()
    for arguments in [("org", "show", "gilt"), ("token", "list", "gilt")]:
        assert value not in cave.output(*arguments)
        assert value not in cave.output(*arguments, "--json")


def test_a_revoked_token_stays_revoked(cave: CommandLine) -> None:
    [created] = cave.json("org", "create", "gilt")
    token_id = created["token"]["id"]
    assert token_id in cave.output("token", "revoke", "gilt", token_id)
    cave.now += timedelta(days=1)
    [record] = cave.json("token", "revoke", "gilt", token_id)
    assert (record["state"], record["revoked_at"]) == ("revoked", "2014-10-24T12:37:28.000Z")
    assert "has no token 'none'" in cave.error("token", "revoke", "gilt", "none")


def test_a_fourth_token_of_one_owner_and_scope_set_is_refused(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    for _ in range(2):
        cave.output("token", "issue", "gilt", "--quiet")
    assert "revoke one first" in cave.error("token", "issue", "gilt")


def test_limits_are_shown_set_one_by_one_and_removed(cave: CommandLine) -> None:
    def limits(*arguments: str) -> tuple[float | None, int | None, int | None]:
        [record] = cave.json("org", "limits", "gilt", *arguments)
        assert record["name"] == "gilt"
        return record["points_per_second"], record["burst"], record["series"]

    cave.output("org", "create", "gilt")
    assert limits() == (None, None, None)
    assert limits("--points-per-second", "2.5") == (2.5, None, None)
    assert limits("--burst", "100") == (2.5, 100, None)
    assert limits("--series", "5000") == (2.5, 100, 5000)
    assert limits() == (2.5, 100, 5000)
    assert limits("--series", "none") == (2.5, 100, None)
    assert limits("--burst", "none", "--series", "9") == (2.5, None, 9)
    assert limits("--points-per-second", "none") == (None, None, 9)
    assert "9" in cave.output("org", "limits", "gilt")
    assert limits("--reset", "--burst", "7") == (None, 7, None)
    assert limits("--reset") == (None, None, None)
    assert "as cave serve has it" in cave.output("org", "limits", "gilt")


def test_limits_are_positive_and_of_an_organization(cave: CommandLine) -> None:
    assert cave.error("org", "limits", "zalando") == "there is no organization 'zalando'"
    cave.output("org", "create", "gilt")
    for option, value in (
        ("--points-per-second", "0"),
        ("--points-per-second", "nan"),
        ("--points-per-second", "1e300"),
        ("--burst", "0"),
        ("--burst", "1.5"),
        ("--series", "0"),
        ("--series", "1e6"),
        ("--series", "1000000000"),
    ):
        assert cave("org", "limits", "gilt", option, value).exit_code == 2
