"""Projections in DuckLake: DuckDB over Parquet files, with a catalog in SQLite or PostgreSQL.

Each generation of a projection is a separate DuckLake, so a rebuild never contends with the live
generation. A registry next to them records which one is live.
"""
