"""Passes that edit names, attributes, devices and edges: each does what it is told, to the letter."""
