"""Organizations' events on Valkey or Redis streams: a persistence module for `eventsourcing`.

Chosen by ``PERSISTENCE_MODULE=adapters.redis_streams``; the settings are listed in
`adapters.redis_streams.factory`, the layout of the data in `adapters.redis_streams.keys` and
`adapters.redis_streams.codec`. Importing this package connects to nothing.
"""

from adapters.redis_streams.factory import Factory

__all__ = ["Factory"]
