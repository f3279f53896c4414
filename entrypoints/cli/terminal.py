"""Text that is safe for terminals: within their encoding, and without control characters."""

from __future__ import annotations

import re
import sys
from io import TextIOWrapper

_controls = re.compile("[\x00-\x1f\x7f-\x9f]")


def replace_what_cannot_be_written() -> None:
    """Make standard output and error replace characters that their encoding does not have.

    Bytes written to them directly, such as JSON and exports, stay UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    """Return text with its control characters, which a terminal would obey, escaped."""
    return _controls.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def encodes(characters: str) -> bool:
    """Return whether standard output's encoding has all of the characters."""
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
