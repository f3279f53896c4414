"""Leases: which process may write a generation, or a share of it, and for how long unheard of."""
