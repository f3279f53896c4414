"""All of the service once, on real readings of this machine, checked as a client would.

`story` is the sequence, `client` what it sends. To copy a client, see `examples/`.
"""

from entrypoints.demo.story import run_demo

__all__ = ["run_demo"]
