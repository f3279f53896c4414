"""Implementations of the application's ports, and its HTTP interface, one package per technology.

Each package's docstring describes it. Adapters do not import each other, except the libraries
`event_format` and `http_client`.
"""
