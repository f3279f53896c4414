"""What all tests share: how many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings

# While one works on the code; `make test` asks for the default, 100.
settings.register_profile("quick", max_examples=10, stateful_step_count=20)
settings.load_profile("quick")
