"""``tfmobile list-targets``."""

from __future__ import annotations

import click

from tfmobile.cli.display import print_json
from tfmobile.cli.options import display_options


@click.command("list-targets")
@display_options
def command(as_json: bool, quiet: bool) -> None:
    """List the targets and what they need."""
    from tfmobile.codec import encode
    from tfmobile.pipeline import list_targets

    rows = list_targets()
    if as_json:
        print_json([encode(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.name:<16} {row.summary}")
