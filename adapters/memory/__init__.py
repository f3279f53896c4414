"""In-memory implementations of the ports, for tests of the domain and the application.

For organizations in memory, use `adapters.eventsourcing` with the library's `eventsourcing.popo`.
"""
