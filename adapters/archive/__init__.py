"""The archive of the log, in a directory or an object store. The format: docs/archive-format.md."""

from adapters.archive.archive import ObjectArchive, open_archive

__all__ = ["ObjectArchive", "open_archive"]
