"""``tfmobile list-passes``."""

from __future__ import annotations

import click

from tfmobile.cli.display import console, print_json
from tfmobile.cli.options import display_options


@click.command("list-passes")
@display_options
def command(as_json: bool, quiet: bool) -> None:
    """List the passes that rewrite a graph, with their arguments. A star marks those that optimize runs by itself."""
    from rich.table import Table
    from rich.text import Text

    from tfmobile.codec import encode
    from tfmobile.pipeline import list_passes

    rows = list_passes()
    if as_json:
        print_json([encode(row) for row in rows])
        return
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        arguments = f"  ({', '.join(row.arguments)})" if row.arguments else ""
        also = f"  Also: {', '.join(row.aliases)}." if row.aliases else ""
        table.add_row(Text(("* " if row.default else "  ") + row.name), Text(f"{row.summary}{also}{arguments}"))
    console().print(table)
