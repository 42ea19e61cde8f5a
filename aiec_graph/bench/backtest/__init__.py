"""Backtests: what models would have found at each of several dates, with what was known then."""
