"""Ports without a server, for the domain's and the application's tests.

Organizations in memory are `adapters.eventsourcing` over the library's own `eventsourcing.popo`.
"""
