"""Ownership of a data dir."""

import os
from pathlib import Path

import pytest

from adapters.embedded_valkey import DataDir, DataDirInUse, DataDirUnusable, Holder


def at_once(_holder: Holder | None) -> float:
    return 0.0


def test_a_second_owner_is_refused_with_the_name_of_the_first(data_dir: DataDir) -> None:
    with (
        data_dir.own("serve", at_once),
        pytest.raises(DataDirInUse, match=f"in use by `cave serve` with pid {os.getpid()}"),
    ):
        data_dir.own("command", at_once)


def test_a_second_owner_is_refused_before_the_first_has_written_its_name(data_dir: DataDir) -> None:
    with data_dir.own("serve", at_once):
        (data_dir.path / "cave.lock").write_bytes(b"")
        with pytest.raises(DataDirInUse, match="another process"):
            data_dir.own("command", at_once)


def test_patience_depends_on_the_holder(data_dir: DataDir) -> None:
    asked: list[Holder | None] = []

    def patience(holder: Holder | None) -> float:
        asked.append(holder)
        return 0.05

    with data_dir.own("command", at_once), pytest.raises(DataDirInUse):
        data_dir.own("serve", patience)
    assert set(asked) == {Holder(os.getpid(), "command")}
    assert len(asked) > 1


def test_a_released_lock_is_free(data_dir: DataDir) -> None:
    data_dir.own("serve", at_once).release()
    with data_dir.own("serve", at_once):
        pass


def test_the_owner_waits_until_there_are_no_users(data_dir: DataDir) -> None:
    with data_dir.used() as first, data_dir.used() as second:
        assert first
        assert second
    with data_dir.unused(), data_dir.used() as late:
        assert not late


def test_a_data_dir_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match=r"the data dir .*/file cannot be used"):
        DataDir(tmp_path / "file").try_to_own("serve")
