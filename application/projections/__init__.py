"""Projections: everything that can be read, folded from the events of the metric log.

A fold is a pure function that knows nothing of storage. A store commits rows together with the
position up to which the log was read. The runner connects the two.
"""
