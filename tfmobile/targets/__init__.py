"""Targets: what a device or runtime can run, as TOML rows, and the check of a .tflite against one."""

from tfmobile.targets.preflight import preflight
from tfmobile.targets.target import Target, target, target_names

__all__ = ["Target", "preflight", "target", "target_names"]
