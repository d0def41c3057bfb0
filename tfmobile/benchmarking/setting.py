"""What is timed: one model in one setting, and what it measured."""

from __future__ import annotations

from dataclasses import dataclass, field

TFLITE, TENSORFLOW = "tflite", "tensorflow"


@dataclass(frozen=True)
class Setting:
    """One row of the result. ``runtime`` is tflite or tensorflow; ``xnnpack`` means nothing for the latter."""

    name: str
    runtime: str
    threads: int
    xnnpack: bool

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        if self.runtime == TENSORFLOW:
            return f"{self.name} under TensorFlow ({threads})"
        return f"{self.name} ({threads}, XNNPACK {'on' if self.xnnpack else 'off'})"


@dataclass
class Measured:
    """What a setting's child told so far. ``blocks`` hold the times in ms, one list a round."""

    setting: Setting
    init_ms: float
    warmup_runs: int = 0
    blocks: list[list[float]] = field(default_factory=list)
    peak_bytes: int = 0
    baseline_bytes: int = 0
    feed_bytes: int = 0

    @property
    def times_ms(self) -> list[float]:
        return [time for block in self.blocks for time in block]

    @property
    def model_bytes(self) -> int:
        """The part of the peak that is due to the model."""
        return max(self.peak_bytes - self.baseline_bytes - self.feed_bytes, 0)
