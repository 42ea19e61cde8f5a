"""A graph in memory and in files: its parts, one reader a format, and safe storage."""
