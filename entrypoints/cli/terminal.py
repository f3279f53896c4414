"""Text for terminals of any encoding, and without the control characters that they obey."""

from __future__ import annotations

import re
import sys
from io import TextIOWrapper

_controls = re.compile("[\x00-\x1f\x7f-\x9f]")


def replace_what_cannot_be_written() -> None:
    """Let standard output and error write a replacement where their encoding lacks a character.

    Bytes that are written to them directly, as JSON and exports are, stay UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    """Return text whose control characters, which a terminal would obey, are escaped."""
    return _controls.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def encodes(characters: str) -> bool:
    """Return whether standard output's encoding has all of the characters."""
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
