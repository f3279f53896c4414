"""The JSON format of points. `format` chooses among three readers with the same rules."""
