"""One suite a port: subclass it and every rule of the port's docstring is tried on an adapter."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.metric_log",
    "tests.contracts.organizations",
    "tests.contracts.projection_store",
)
