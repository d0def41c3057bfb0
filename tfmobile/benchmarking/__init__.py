"""Latency and memory of models on this machine, measured interleaved in child processes; and of their operators."""

from tfmobile.benchmarking.float_cost import float_cost, float_costs
from tfmobile.benchmarking.host import benchmark
from tfmobile.benchmarking.op_latency import op_latencies

__all__ = ["benchmark", "float_cost", "float_costs", "op_latencies"]
