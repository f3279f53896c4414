"""A service for the clients of other protocols, and one organization per test."""

from __future__ import annotations

from tests.e2e.conftest import client, service, tenant

__all__ = ["client", "service", "tenant"]
