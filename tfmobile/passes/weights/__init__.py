"""Passes on the numbers: weights that zip or store in less, 8-bit ranges, sparse tables."""
