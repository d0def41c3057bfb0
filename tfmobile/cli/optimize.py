"""``tfmobile optimize``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json, progress_bars
from tfmobile.cli.names import RECIPE, TARGET
from tfmobile.cli.options import (
    benchmark_options,
    config_option,
    data_options,
    display_options,
    evaluate_options,
    model_options,
    preprocessing_options,
    search_options,
    trust_option,
)


@click.command("optimize")
@click.argument("model", required=False)
@click.option("--recipe", type=RECIPE, help="What to make [int8]; see `tfmobile list-recipes`.")
@click.option("--target", type=TARGET, help="What it will run on [cpu]; see `tfmobile list-targets`.")
@click.option(
    "--data", metavar="PATH", help="Samples to evaluate with, and to calibrate with if nothing else is given."
)
@click.option("--calibrate-with", metavar="PATH|random", help="Samples to calibrate with; no labels needed.")
@click.option("--out", "-o", metavar="DIR", help="Folder for the results [build].")
@click.option(
    "--io",
    type=click.Choice(["float32", "int8", "uint8", "int16"]),
    help="Type of inputs and outputs [the recipe's].",
)
@click.option(
    "--passes",
    multiple=True,
    metavar="TEXT",
    help="Passes to run instead of the default ones, in order; see `tfmobile list-passes`.",
)
@click.option(
    "--bake-preprocessing",
    is_flag=True,
    default=None,
    help="Put --mean, --std and --color into the model, which then takes pixels.",
)
@model_options
@trust_option
@data_options
@preprocessing_options
@evaluate_options
@benchmark_options
@search_options
@click.option("--evaluate/--no-evaluate", default=True, help="Measure accuracy.")
@click.option("--benchmark/--no-benchmark", default=True, help="Measure latency.")
@click.option("--fresh", is_flag=True, help="Compute every step anew.")
@config_option
@display_options
def command(as_json: bool, quiet: bool, **options: Any) -> None:
    """Turn a trained model into a small, fast .tflite, and prove it on your data.

    MODEL is a frozen graph, a SavedModel, a Keras 2 or 3 file, a TF1 checkpoint or a .tflite. It may also be named in
    tfmobile.toml. Writes model.tflite, report.html, report.json, card.json and manifest.json.
    """
    from tfmobile.pipeline import optimize

    with progress_bars(not (as_json or quiet)) as progress:
        report = optimize(**options, progress=progress)
    if as_json:
        from tfmobile.reporting import to_json

        print_json(to_json(report))
        return
    from tfmobile.reporting import print_table

    print_table(report, console())
