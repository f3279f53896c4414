"""Asks a service what Grafana would ask for a dashboard."""
