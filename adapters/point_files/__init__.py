"""Files of points: JSON lines, CSV and Parquet, written and read back without loss.

JSON lines and CSV have a point a line with the fields of a publish; `timestamp` is what a publish
takes for the same time, see `as_published`. Parquet has a column a field.
"""

from adapters.point_files.errors import PointFileError
from adapters.point_files.formats import Format
from adapters.point_files.readers import Batch, count_points, read_batches
from adapters.point_files.writers import point_writer

__all__ = [
    "Batch",
    "Format",
    "PointFileError",
    "count_points",
    "point_writer",
    "read_batches",
]
