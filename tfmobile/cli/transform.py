"""``tfmobile transform``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tfmobile.cli.display import print_json, progress_bars
from tfmobile.cli.options import display_options, model_options, preprocessing_options, trust_option

if TYPE_CHECKING:
    from tfmobile.artifacts import RewriteStep, Transformation

_MOST_SENTENCES = 6


@click.command("transform")
@click.argument("model")
@click.option(
    "--passes",
    "--transforms",
    "passes",
    multiple=True,
    metavar="TEXT",
    help="What to do, in order: 'name name(arg=value, arg=\"1,2\")'; see `tfmobile list-passes`.",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    default="transformed.pb",
    show_default=True,
    help="The GraphDef file to write; text when it ends in .pbtxt.",
)
@click.option("--save-steps", metavar="DIR", help="Write the graph after each pass into this folder too.")
@click.option(
    "--tolerance",
    type=float,
    default=1e-4,
    show_default=True,
    help="How far an answer may move, relative to its largest value.",
)
@click.option("--verify/--no-verify", default=True, help="Run the graph before and after each pass, and compare.")
@click.option("--data", metavar="PATH", help="Samples to verify with [random numbers].")
@click.option("--x-key", metavar="KEY", help="Key of the samples in an .npz or TFRecord [x].")
@preprocessing_options
@model_options
@trust_option
@display_options
def command(as_json: bool, quiet: bool, **options: Any) -> None:
    """Run any list of passes on a graph, each one verified.

    Takes the transforms of TensorFlow's Graph Transform Tool, as they were written, and more. A pass that changes the
    answer is refused, and nothing is written; called with ignore_errors=true, it is left out. Passes that are meant to
    change numbers, such as round_weights, are measured.

    \b
    tfmobile transform frozen.pb --input x --output y --passes '
      strip_unused_nodes(type=float, shape="1,224,224,3")
      remove_nodes(op=Identity, op=CheckNumerics)
      fold_constants(ignore_errors=true) fold_batch_norms fold_old_batch_norms' -o smaller.pb
    """
    from tfmobile.pipeline import transform

    lines: list[str] = []

    def show(step: RewriteStep, line: str) -> None:
        lines.append(line)
        if not as_json:
            _print_step(step, line, quiet)

    with progress_bars(not (as_json or quiet)) as progress:
        done = transform(**options, observe=show, progress=progress)
    if as_json:
        print_json(_document(done, lines))
        return
    _print_end(done)


def _print_step(step: RewriteStep, line: str, quiet: bool) -> None:
    click.echo(f"{step.call}  {step.nodes_before:,} → {step.nodes_after:,} nodes, {_proof(step)}, {step.seconds:.2f} s")
    if quiet:
        return
    if step.reason:
        click.echo(f"  {step.reason}")
    for sentences in (step.changed, step.skipped):
        for sentence in sentences[:_MOST_SENTENCES]:
            click.echo(f"  {sentence}")
        if len(sentences) > _MOST_SENTENCES:
            click.echo(f"  … and {len(sentences) - _MOST_SENTENCES:,} more, with --json.")
    if step.first_difference:
        click.echo(f"  First difference: {step.first_difference}")
    click.echo(click.style(f"  {line}", dim=True))


def _proof(step: RewriteStep) -> str:
    if step.refused:
        return "REFUSED, left out"
    if step.max_rel is None:
        return "not compared"
    if not step.keeps_answer:
        return f"the answer moves by {step.max_rel:.2g} of its scale" if step.max_rel else "the answer stays"
    if not step.changed and step.nodes_before == step.nodes_after:
        return "nothing to do"
    beside = "" if step.against == "the original" else f" against {step.against}"
    return f"verified: difference {step.max_rel:.2g}{beside}"


def _print_end(done: Transformation) -> None:
    steps = done.rewrite.steps
    before = done.source.graph
    nodes = f"{len(before) if before else 0:,} → {len(done.rewrite.graph):,} nodes"
    zipped = f"zipped {_size(done.source_zipped_bytes)} → {_size(done.zipped_bytes)}"
    click.echo(f"\n{done.out}: {nodes}, {_size(done.source.size_bytes)} → {_size(done.size_bytes)}, {zipped}")
    drift = next((step.drift for step in reversed(steps) if step.drift is not None), None)
    if drift is not None:
        click.echo(f"Against the original, all passes together: difference {drift:.2g} of the outputs' scale.")
    for note in done.notes:
        click.echo(f"note: {note}")
    click.echo(f"The same again: {done.command}")


def _document(done: Transformation, lines: list[str]) -> dict[str, Any]:
    from tfmobile.codec import encode

    graph = done.rewrite.graph
    return {
        "schema_version": 1,
        "out": done.out,
        "summary": done.source.summary,
        "inputs": encode(graph.inputs),
        "outputs": encode(graph.outputs),
        "nodes": len(graph),
        "source_bytes": done.source.size_bytes,
        "source_zipped_bytes": done.source_zipped_bytes,
        "size_bytes": done.size_bytes,
        "zipped_bytes": done.zipped_bytes,
        "steps": [{**encode(step), "command": line} for step, line in zip(done.rewrite.steps, lines, strict=True)],
        "command": done.command,
        "notes": list(done.notes),
    }


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
