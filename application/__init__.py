"""The use cases, one module each, and the ports they need.

`application.use_cases` lists them all.
"""
