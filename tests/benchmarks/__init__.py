"""CAVE and its peers: `python -m tests.benchmarks --help`; the method: docs/benchmarks.md."""
