"""Fewer nodes, the same answer: duplicates, reshapes, copies, scales, dead branches, calls."""
