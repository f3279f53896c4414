"""Organizations kept by the eventsourcing library's `Application`.

Where they are kept is that library's setting: `PERSISTENCE_MODULE` is `adapters.redis_streams`
in production and may be its own `eventsourcing.popo` in tests.
"""
