"""Tests of graphs of the user's own."""
