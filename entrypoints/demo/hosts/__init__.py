"""`cave demo --hosts N`: several hosts on one machine, on servers that have replicas.

`story` has the sequence, `servers` what it starts.
"""

from entrypoints.demo.hosts.story import run_hosts_demo

__all__ = ["run_hosts_demo"]
