"""Studies: equal tuning, confirmation on fresh seeds, paired statistics, a report."""
