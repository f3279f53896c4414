"""Files of points: JSON lines, CSV and Parquet, written and read back without loss.

JSON lines and CSV have one point per line with the fields of a publish. Publishing their
`timestamp` gives the same time, see `as_published`. Parquet has a column per field.
"""

from adapters.point_files.formats import Format
from adapters.point_files.sources import STANDARD_INPUT, opened_points
from adapters.point_files.writers import point_writer

__all__ = ["STANDARD_INPUT", "Format", "opened_points", "point_writer"]
