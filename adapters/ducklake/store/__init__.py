"""Writing generations: their registry, tables, files, locks and upkeep."""
