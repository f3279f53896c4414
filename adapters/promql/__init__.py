"""PromQL: expressions evaluated as matrices of series and steps.

A tree is made of the text, and NumPy computes: each operator handles all steps of all series at
once. The rules are those of Prometheus 3; a range is open on the left.
"""

from adapters.promql.engine import PromqlEngine

__all__ = ["PromqlEngine"]
