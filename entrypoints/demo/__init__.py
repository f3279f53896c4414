"""Every feature once, on metrics of this machine, checked as a client would.

`story` has the sequence, `client` the requests. For a client to copy, see `examples/`.
"""

from entrypoints.demo.story import run_demo

__all__ = ["run_demo"]
