"""Organizations, tokens and metric points: frozen structs and pure functions over them.

Imports nothing but the standard library and msgspec. Reads no clock and draws no random numbers:
times and secrets are passed in as arguments.
"""
