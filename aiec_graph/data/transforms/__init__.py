"""Splits, preprocessing and perturbations of graphs."""
