"""The benchmark: configuration, runner, results, tables and the command line."""
