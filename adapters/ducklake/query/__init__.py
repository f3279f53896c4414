"""Reading generations: the read model, the export, and the SQL and caches they use."""
