"""``tfmobile list-recipes``."""

from __future__ import annotations

import click

from tfmobile.cli.display import print_json
from tfmobile.cli.options import display_options


@click.command("list-recipes")
@display_options
def command(as_json: bool, quiet: bool) -> None:
    """List the quantization recipes."""
    from tfmobile.codec import encode
    from tfmobile.pipeline import list_recipes

    rows = list_recipes()
    if as_json:
        print_json([encode(row) for row in rows])
        return
    for row in rows:
        needs = "  [needs calibration data]" if row.needs_calibration else ""
        click.echo(f"{row.name:<16} {row.summary}{needs}")
