"""``tfmobile inspect``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json
from tfmobile.cli.options import display_options, model_options, trust_option


@click.command("inspect")
@click.argument("model")
@click.option("--draw", metavar="FILE", help="Draw the graph: an .html page to explore, or an .svg.")
@click.option("--structure", is_flag=True, help="Also list every node or operator, and every tensor of a .tflite.")
@model_options
@trust_option
@display_options
def command(as_json: bool, quiet: bool, **options: Any) -> None:
    """Show what is in a model: operators, parameters, MACs, size by layer. Nothing in the model is executed.

    Also what summarize_graph of TensorFlow's Graph Transform Tool told: possible inputs and outputs, constants, control
    edges, devices, functions; and which batch norms fold, what only training needs, and what is known against each
    target.

    \b
    tfmobile inspect mobilenet.pb --draw mobilenet.html
    tfmobile inspect build/model.tflite --structure
    """
    from tfmobile.inspection import print_inspection, to_dict
    from tfmobile.pipeline import inspect

    found = inspect(**options)
    if as_json:
        print_json(to_dict(found))
        return
    print_inspection(found, console())
    if options["draw"] and not quiet:
        console().print(f"\n Drawn: {options['draw']}", markup=False, soft_wrap=True)
