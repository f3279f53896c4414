"""Organizations stored through the eventsourcing library's `Application`.

The library's setting `PERSISTENCE_MODULE` selects the storage: `adapters.redis_streams` in
production; tests may use the library's `eventsourcing.popo`.
"""
