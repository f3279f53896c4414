"""Composition roots: the command line and the worker. They wire everything else."""
