"""``tfmobile benchmark``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json, progress_bars
from tfmobile.cli.options import (
    benchmark_options,
    config_option,
    display_options,
    model_options,
    preprocessing_options,
    trust_option,
)


@click.command("benchmark")
@click.argument("model")
@click.option("--against", metavar="MODEL", help="Time this model too, interleaved, and give the ratio.")
@click.option("--data", metavar="PATH", help="Samples to feed [random inputs].")
@model_options
@preprocessing_options
@benchmark_options
@trust_option
@config_option
@display_options
def command(as_json: bool, quiet: bool, **options: Any) -> None:
    """Measure latency and memory on this machine: warm-up, then runs until the median is certain or time is up."""
    from tfmobile.pipeline import benchmark
    from tfmobile.reporting import latency_json, print_latency

    with progress_bars(not (as_json or quiet)) as progress:
        latency = benchmark(**options, progress=progress)
    if as_json:
        print_json(latency_json(latency))
    else:
        print_latency(latency, console())
