"""The format of the metric log's entries: docs/event-format.md, in code."""
