"""Projections in DuckLake: DuckDB over Parquet files, with a catalog in SQLite or PostgreSQL.

Every generation of a projection is a DuckLake of its own, so that one being rebuilt never contends
with the live one; a registry beside them says which one is live.
"""
