"""Prometheus' remote read (Prometheus documentation, "Remote Read API"): requests and answers."""
