"""Latency and memory of models on this machine, measured interleaved in child processes."""

from tfmobile.benchmarking.host import benchmark

__all__ = ["benchmark"]
