"""The compiled scans of all formats."""

from adapters.point_formats.influx import compiled_scan as influx
from adapters.point_formats.json import compiled_scan as json
from adapters.point_formats.remote_write import compiled_scan as remote_write

PROGRAMS = (json.PROGRAM, remote_write.PROGRAM, influx.PROGRAM)
