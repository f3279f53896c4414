"""The event log on Valkey or Redis streams.

`organizations` is a persistence module for `eventsourcing`, chosen by
``PERSISTENCE_MODULE=adapters.redis_streams``. Its settings are documented in `factory`, its data
layout in `keys` and `codec`. `metrics` is the metric log. Importing this package opens no
connection.
"""

from adapters.redis_streams.organizations.factory import Factory

__all__ = ["Factory"]
