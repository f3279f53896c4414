"""Leases: which process may write a generation, and for how long it may without being heard of."""
