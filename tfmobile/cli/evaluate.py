"""``tfmobile evaluate``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json, progress_bars
from tfmobile.cli.options import (
    config_option,
    data_options,
    display_options,
    evaluate_options,
    model_options,
    preprocessing_options,
    trust_option,
)


@click.command("evaluate")
@click.argument("model")
@click.option("--data", metavar="PATH", help="Samples, with labels for accuracy.")
@click.option("--against", metavar="MODEL", help="Compare with this model, sample by sample.")
@model_options
@data_options
@preprocessing_options
@evaluate_options
@trust_option
@config_option
@display_options
def command(as_json: bool, quiet: bool, **options: Any) -> None:
    """Measure accuracy on your data, with confidence intervals; paired with another model if you name one."""
    from tfmobile.pipeline import evaluate
    from tfmobile.reporting import evaluation_json, print_evaluation

    with progress_bars(not (as_json or quiet)) as progress:
        evaluation = evaluate(**options, progress=progress)
    if as_json:
        print_json(evaluation_json(evaluation))
    else:
        print_evaluation(evaluation, console())
