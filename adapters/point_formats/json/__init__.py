"""The JSON format of points: `format` chooses among three readers of one set of rules."""
