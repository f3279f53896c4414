"""Organizations, tokens and metric points: frozen structs and pure functions over them.

Imports the standard library and msgspec, nothing else. No clock is read and no random number
drawn here: time and secrets come in as arguments.
"""
