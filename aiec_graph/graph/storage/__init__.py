"""Downloads, checksums, the cache, and safe loading of pickled files."""
