"""Prometheus' HTTP API (Prometheus documentation, "HTTP API"), for Grafana and others."""
