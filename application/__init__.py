"""What the service does: one module a use case, and the ports they need.

`application.use_cases` lists them all.
"""
