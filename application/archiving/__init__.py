"""Moving the older part of the log to its archive, and what follows from that.

Sealing copies entries to the archive; trimming removes from the log server what is archived.
"""
