"""``tfmobile diagnose``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json, progress_bars
from tfmobile.cli.names import RECIPE
from tfmobile.cli.options import (
    config_option,
    data_options,
    display_options,
    model_options,
    preprocessing_options,
    trust_option,
)


@click.command("diagnose")
@click.argument("model", required=False)
@click.option("--data", metavar="PATH", help="Samples like those the model will meet; labels help.")
@click.option("--calibrate-with", metavar="PATH|random", help="Samples to calibrate with [part of --data].")
@click.option("--recipe", type=RECIPE, help="What is explained [int8]; see `tfmobile list-recipes`.")
@click.option("--out", "-o", metavar="FILE", help="Write a page with plots, such as diagnosis.html.")
@click.option("--all", "all_layers", is_flag=True, help="Show every layer and finding, not only the worst.")
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
@config_option
@display_options
def command(as_json: bool, quiet: bool, all_layers: bool, **options: Any) -> None:
    """Find what quantization, or the data, does wrong to a model, layer by layer, and name the fix.

    MODEL is quantized by the recipe; then, on samples that no range was measured on, every layer is compared with the
    float one, and quantized alone. Findings name the cause (an outlying channel, a stretched range, repeated samples,
    another preprocessing …), the layer, and what to do. Nothing is kept but the page named by --out.

    \b
    tfmobile diagnose model.keras --data pictures/ --mean 127.5 --std 127.5
    tfmobile diagnose frozen.pb --data test.npz --calibrate-with train.npz -o diagnosis.html
    """
    from tfmobile.pipeline import diagnose
    from tfmobile.reporting.diagnosis import print_diagnosis, to_json

    with progress_bars(not (as_json or quiet)) as progress:
        found = diagnose(**options, progress=progress)
    if as_json:
        print_json(to_json(found))
        return
    print_diagnosis(found, console(), everything=all_layers, page=options["out"])
