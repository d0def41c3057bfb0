"""``tfmobile freeze``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import print_json
from tfmobile.cli.options import display_options, model_options, trust_option


@click.command("freeze")
@click.argument("model")
@click.option("--out", "-o", metavar="FILE", default="frozen.pb", show_default=True, help="The GraphDef file to write.")
@model_options
@trust_option
@display_options
def command(as_json: bool, quiet: bool, out: str, **options: Any) -> None:
    """Freeze any TensorFlow model into one GraphDef file: variables become constants, training machinery goes."""
    from tfmobile.codec import encode
    from tfmobile.pipeline import freeze

    source = freeze(out=out, **options)
    graph = source.graph
    assert graph is not None
    if as_json:
        facts = {"inputs": encode(graph.inputs), "outputs": encode(graph.outputs), "nodes": len(graph)}
        print_json({"out": out, "summary": source.summary, **facts, "notes": list(source.notes)})
        return
    click.echo(f"{source.summary} → {out} ({len(graph)} nodes)")
    for title, specs in (("input", graph.inputs), ("output", graph.outputs)):
        for spec in specs:
            shape = "×".join("?" if dim is None else str(dim) for dim in spec.shape or ()) or "scalar"
            click.echo(f"  {title} {spec.key}: {spec.ref} {spec.dtype} {shape}")
    for note in source.notes:
        click.echo(f"  note: {note}")
