"""Contract suites, one per port: subclass one to test an adapter against the port's docstring."""

import pytest

pytest.register_assert_rewrite(
    "tests.contracts.metric_log",
    "tests.contracts.organizations",
    "tests.contracts.projection_store",
)
