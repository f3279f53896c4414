"""All of the service once, on real readings of this machine, checked as a client would.

`story` tells it; `client` is an example of what a publishing application does.
"""

from entrypoints.demo.story import run_demo

__all__ = ["run_demo"]
