"""Composition roots: the command line and the worker. Everything else is wired here."""
