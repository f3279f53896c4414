"""The event log on Valkey or Redis streams.

`organizations` is a persistence module for `eventsourcing`, chosen by
``PERSISTENCE_MODULE=adapters.redis_streams``: its settings are listed in `factory`, the layout of
the data in `keys` and `codec`. `metrics` is the metric log. Importing this package connects to
nothing.
"""

from adapters.redis_streams.organizations.factory import Factory

__all__ = ["Factory"]
