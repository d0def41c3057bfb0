"""``tfmobile inspect``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json
from tfmobile.cli.options import display_options, model_options, trust_option


@click.command("inspect")
@click.argument("model")
@model_options
@trust_option
@display_options
def command(as_json: bool, quiet: bool, **options: Any) -> None:
    """Show what is in a model: operators, parameters, MACs, size by layer. Nothing in the model is executed."""
    from tfmobile.inspection import print_inspection, to_dict
    from tfmobile.pipeline import inspect

    found = inspect(**options)
    if as_json:
        print_json(to_dict(found))
    else:
        print_inspection(found, console())
