"""InfluxDB's line protocol. `format` reads it, by the rules of `lines`."""
