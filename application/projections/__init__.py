"""Projections: what can be read, as folds over the events of the metric log.

A fold is a pure function and knows no storage; a store commits its rows together with how far the
log was read; the runner brings the two together.
"""
