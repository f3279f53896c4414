"""Data written by earlier releases keeps working. Each release's archive is kept forever.

`make_data_dir.py` creates an archive. It runs the release on a new data dir, adds organizations,
tokens, points, an idempotency key, a copy and an unreadable event, and archives the data dir
together with everything that must be read back.
"""
