"""Numbers on the command line and in variables must be in ASCII digits."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.cli import main
from entrypoints.cli.values import DecimalNumber, Rate, WholeNumber

PYTHONS_OWN = ["1_000", " 1", "1 ", "\u0661", "\uff11\uff12", "1\uff10", "", "nan", "inf", "0x1"]


@pytest.mark.parametrize(
    "kind", [WholeNumber(), DecimalNumber(), Rate()], ids=lambda kind: kind.name
)
@pytest.mark.parametrize("text", PYTHONS_OWN)
def test_spellings_that_only_python_accepts_are_refused(
    kind: click.ParamType[float], text: str
) -> None:
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


@given(st.integers(-(10**17), 10**17))
def test_whole_numbers_are_read(number: int) -> None:
    assert WholeNumber().convert(str(number), None, None) == number


@given(st.floats(min_value=1e-300, allow_infinity=False))
def test_decimal_numbers_are_read(number: float) -> None:
    for kind in (DecimalNumber(), Rate()):
        assert kind.convert(repr(number), None, None) == number


def test_ranges_hold() -> None:
    with pytest.raises(click.BadParameter):
        WholeNumber(1, 9).convert("10", None, None)
    with pytest.raises(click.BadParameter):
        DecimalNumber(min=0, min_open=True).convert("0", None, None)


def _numeric_options() -> list[tuple[tuple[str, ...], click.Option]]:
    found: list[tuple[tuple[str, ...], click.Option]] = []

    def walk(command: click.Command, path: tuple[str, ...]) -> None:
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                walk(child, (*path, name))
        found.extend(
            (path, parameter)
            for parameter in command.params
            if isinstance(parameter, click.Option)
            and not parameter.is_flag
            and isinstance(
                parameter.type,
                (type(click.INT), type(click.FLOAT)),
            )
        )

    walk(main, ())
    return found


@pytest.mark.parametrize(
    ("path", "option"), _numeric_options(), ids=lambda value: getattr(value, "name", str(value))
)
def test_every_numeric_option_has_one_of_these_types(
    path: tuple[str, ...], option: click.Option
) -> None:
    assert isinstance(option.type, (WholeNumber, DecimalNumber))
    result = CliRunner().invoke(main, [*path, option.opts[0], "\uff11"])
    assert result.exit_code == 2
