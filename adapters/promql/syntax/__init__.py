"""The syntax of PromQL: text to tree and back, and what makes an expression invalid.

Tokens, grammar and checks are those of Prometheus 3, errors included (its `promql/parser`). A
parser of our own is needed since no library reports where an error is.
"""

from adapters.promql.syntax.errors import ParseError
from adapters.promql.syntax.parser import parse, parse_selector

__all__ = ["ParseError", "parse", "parse_selector"]
