"""The commands: one file each, and the table that names them."""
