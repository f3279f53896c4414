"""Formats that points are published in: one package or module per protocol, from bytes to columns.

Each implements the port PointFormat of `application.publishing.ports`.
"""
