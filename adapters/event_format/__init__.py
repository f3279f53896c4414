"""The format of the metric log's entries, as documented in docs/event-format.md."""
