"""Improvements of int8 quantization: rewrites of the float graph and choices of ranges that bring answers closer."""
