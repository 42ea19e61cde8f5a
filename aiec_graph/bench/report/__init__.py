"""Results of a benchmark as tables and plots."""
