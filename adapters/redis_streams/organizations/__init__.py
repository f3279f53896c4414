"""Organization events: a persistence module for the `eventsourcing` library."""
