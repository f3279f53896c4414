"""Settings of all tests: the number of examples per property."""

from __future__ import annotations

from hypothesis import settings

# For work on the code; `make test` uses the default, 100.
settings.register_profile("quick", max_examples=10, stateful_step_count=20)
settings.load_profile("quick")
