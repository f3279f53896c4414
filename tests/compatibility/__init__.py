"""What earlier releases wrote goes on working. Each release's archive stays for good.

`make_data_dir.py` makes one: it runs the release on a new data dir, puts organizations, tokens,
points, an idempotency key, a copy and an unreadable event into it, and archives it together with
what must be read back.
"""
