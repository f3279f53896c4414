"""Formats in which points are published: one module or package per protocol, bytes to columns.

Each implements the port PointFormat of `application.publishing.ports`.
"""
