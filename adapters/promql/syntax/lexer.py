"""Tokens of PromQL (`promql/parser/lex.go` of Prometheus 3)."""

from __future__ import annotations

import re
from typing import NamedTuple

from adapters.promql.syntax.errors import ParseError
from adapters.promql.syntax.quoting import bad_escape, quoted, quoted_character

AGGREGATORS = frozenset(
    ("avg", "bottomk", "count", "count_values", "group", "limit_ratio", "limitk", "max", "min")
) | {"quantile", "stddev", "stdvar", "sum", "topk"}
WORD_OPERATORS = frozenset(("and", "atan2", "or", "unless"))
KEYWORDS = frozenset(
    ("bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "without")
)
_WORDS = AGGREGATORS | WORD_OPERATORS | KEYWORDS | {"start", "end"}
_SIGNS = frozenset(("+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "@"))
_MATCH_SIGNS = frozenset(("=~", "!~"))

_skipped = re.compile(r"[ \t\n\r]+|#[^\r\n]*").match
_word = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").match
_label = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").match
_sign = re.compile(r"==|!=|<=|>=|[-+*/%^=<>(),@]").match
_match_sign = re.compile(r"=~|!=|!~|[=,]").match
_string = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|`[^`]*+`?", re.DOTALL).match
_DIGITS = "(?:[0-9]+(?:_[0-9]+)*)"
_number = re.compile(
    r"(?:0[xX]_?[0-9a-fA-F]*(?:_[0-9a-fA-F]+)*"
    # An exponent without digits is a mistake in the number only if anything follows.
    rf"|{_DIGITS}?(?:\.{_DIGITS}?)?(?:[eE][+-]?+(?:{_DIGITS}|(?=[^a-zA-Z0-9_.])))?)"
    r"(?![a-zA-Z0-9_.])"
).match
_duration = re.compile(r"[0-9]+[smhdwy]s?(?:[0-9]+[smhdw]s?)*(?![a-zA-Z0-9_])").match
_bad_number = re.compile(
    r"(?:0[xX]_?[0-9a-fA-F_]*|[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9_]*)?[._eE]?)"
    r"(?:(?<=[0-9.])[smhdwy]s?(?:[0-9]+[smhdw]s?)*(?:[0-9]+|[a-zA-Z0-9_])?)?"
).match


class Token(NamedTuple):
    """A token: its kind, its text, and where it begins.

    The kind of words, operators and brackets is their text in lower case. Others are `identifier`,
    `metric identifier`, `string`, `number`, `duration` and `end of input`.
    """

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def described(self) -> str:
        """Return the token as messages name it."""
        if self.kind == "end of input":
            return self.kind
        if self.kind in ("identifier", "metric identifier"):
            return f"{self.kind} {quoted(self.text)}"
        if self.kind in KEYWORDS:
            return f"<{self.text}>"
        if self.kind in _SIGNS or self.kind in WORD_OPERATORS or self.kind in _MATCH_SIGNS:
            return f"<op:{self.text}>"
        if self.kind in AGGREGATORS:
            return f"<aggr:{self.text}>"
        short = quoted(self.text) if len(self.text) <= 10 else f"{quoted(self.text[:10])}..."
        return f"{self.kind} {short}" if self.kind in ("string", "number", "duration") else short


class Lexer:
    """Reads the tokens of a text, one by one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._parentheses = 0
        self._in_braces = False
        self._in_brackets = False
        self._has_width = False
        self._colon = False

    def next(self) -> Token:
        """Return the next token, at the end again and again. Raises ParseError."""
        while skipped := _skipped(self._text, self._place):
            self._place = skipped.end()
        character = self._text[self._place : self._place + 1]
        if self._in_braces:
            return self._inside_braces(character)
        if not character:
            return self._end()
        if character.isascii() and (character.isdigit() or self._starts_fraction(character)):
            return self._number()
        if character in "\"'`":
            return self._string(character)
        if self._in_brackets and (_word(character) or character == ":"):
            return self._inside_brackets(character)
        if found := _word(self._text, self._place):
            return self._word(found[0])
        if character in "()[]{}":
            return self._bracket(character)
        if found := _sign(self._text, self._place):
            if found[0] == "=" and self._text[found.end() : found.end() + 1] == "~":
                raise self._error("unexpected character after '=': '~'")
            return self._token(found[0], found[0])
        if character == "!":
            after = self._text[self._place + 1 : self._place + 2]
            raise self._error(f"unexpected character after '!': {quoted_character(after)}")
        raise self._error(f"unexpected character: {quoted_character(character)}")

    def _end(self) -> Token:
        if self._parentheses:
            raise self._error("unclosed left parenthesis")
        if self._in_brackets:
            inside = "unexpected end of input in duration expression"
            raise self._error("unclosed left bracket" if self._has_width else inside)
        return Token("end of input", "", self._place)

    def _inside_braces(self, character: str) -> Token:
        if not character:
            raise self._error("unexpected end of input inside braces")
        if found := _label(self._text, self._place):
            return self._token("identifier", found[0])
        if character in "\"'`":
            return self._string(character)
        if found := _match_sign(self._text, self._place):
            return self._token(found[0], found[0])
        if character == "}":
            self._in_braces = False
            return self._token("}", "}")
        if character == "!":
            after = self._text[self._place + 1 : self._place + 2]
            raise self._error(
                f"unexpected character after '!' inside braces: {quoted_character(after)}"
            )
        if character == "{":
            raise self._error("unexpected left brace '{'")
        raise self._error(f"unexpected character inside braces: {quoted_character(character)}")

    def _inside_brackets(self, character: str) -> Token:
        if not self._has_width:
            if character == ":":
                raise ParseError(
                    self._place + 1, "unexpected colon before duration in duration expression"
                )
            raise self._error(
                f"unexpected character in duration expression: {quoted_character(character)}"
            )
        if character != ":":
            raise self._error(f"unexpected character: {quoted_character(character)}, expected ':'")
        if self._colon:
            raise self._error("unexpected colon ':'")
        self._colon = True
        return self._token(":", ":")

    def _bracket(self, bracket: str) -> Token:
        place = self._place
        token = self._token(bracket, bracket)
        match bracket:
            case "(":
                self._parentheses += 1
            case ")":
                self._parentheses -= 1
                if self._parentheses < 0:
                    raise self._error("unexpected right parenthesis ')'")
            case "{":
                self._in_braces = True
            case "[" if self._in_brackets:
                raise ParseError(place, "unexpected left bracket '['")
            case "[":
                self._in_brackets, self._has_width, self._colon = True, False, False
            case "]" if not self._in_brackets:
                raise ParseError(place, "unexpected right bracket ']'")
            case "]":
                self._in_brackets = False
            case _:
                raise ParseError(place, f"unexpected character: {quoted_character(bracket)}")
        return token

    def _word(self, word: str) -> Token:
        kind = word.lower()
        if kind in ("inf", "nan"):
            return self._token("number", word)
        if kind not in _WORDS:
            kind = "metric identifier" if ":" in word else "identifier"
        return self._token(kind, word)

    def _number(self) -> Token:
        for kind, pattern in (("number", _number), ("duration", _duration)):
            found = pattern(self._text, self._place)
            if found and found[0]:
                self._has_width = True
                return self._token(kind, found[0])
        bad = _bad_number(self._text, self._place)
        raise self._error(f"bad number or duration syntax: {quoted(bad[0] if bad else '')}")

    def _starts_fraction(self, character: str) -> bool:
        after = self._text[self._place + 1 : self._place + 2]
        return character == "." and after.isascii() and after.isdigit()

    def _string(self, quote: str) -> Token:
        found = _string(self._text, self._place)
        literal = found[0] if found else quote
        if reason := bad_escape(literal):
            raise self._error(reason)
        if len(literal) > 1 and literal[-1] == quote:
            return self._token("string", literal)
        if self._text[self._place + len(literal) :] == "\\":
            raise self._error("escape sequence not terminated")
        raise self._error(f"unterminated {'raw' if quote == '`' else 'quoted'} string")

    def _token(self, kind: str, text: str) -> Token:
        token = Token(kind, text, self._place)
        self._place = token.end
        return token

    def _error(self, reason: str) -> ParseError:
        return ParseError(self._place, reason)
