"""The runtime directory of a service."""

from __future__ import annotations

from pathlib import Path

from entrypoints.processes.runtime_directory import runtime_directory


def test_it_is_private_in_the_data_dir_and_removed_afterwards(tmp_path: Path) -> None:
    with runtime_directory(tmp_path / "data") as directory:
        assert directory.is_relative_to(tmp_path / "data")
        assert directory.stat().st_mode & 0o777 == 0o700
        (directory / "metrics").mkdir()
    assert not directory.exists()


def test_directories_of_running_processes_stay(tmp_path: Path) -> None:
    with runtime_directory(tmp_path) as one, runtime_directory(tmp_path) as other:
        assert one != other
        assert one.is_dir()
        assert other.is_dir()


def test_directories_of_killed_processes_are_removed(tmp_path: Path) -> None:
    leftover = tmp_path / "run" / "abc"
    (leftover / "metrics").mkdir(parents=True)
    with runtime_directory(tmp_path) as directory:
        assert list((tmp_path / "run").iterdir()) == [directory]


def test_it_may_already_be_removed(tmp_path: Path) -> None:
    with runtime_directory(tmp_path) as directory:
        directory.rmdir()
    assert not directory.exists()
