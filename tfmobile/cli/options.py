"""The options that several commands share, in groups. Names are those of the API and of tfmobile.toml."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def _group(*options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _split(context: click.Context, option: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """One name each; no node's name has a comma in it."""
    return tuple(name.strip() for text in values for name in text.split(",") if name.strip())


model_options = _group(
    click.option(
        "--format",
        metavar="FORMAT",
        help="frozen-graph, saved-model, keras3, keras2, checkpoint or tflite; found out if not given.",
    ),
    click.option("--signature", metavar="NAME", help="Signature of a SavedModel [serving_default]."),
    click.option("--tags", multiple=True, metavar="TAG", help="Tag of a SavedModel's graph [serve]; repeatable."),
    click.option(
        "--input",
        "--inputs",
        "input",
        multiple=True,
        metavar="NODE",
        callback=_split,
        help="Input node, also inside the graph; repeatable, or several with commas.",
    ),
    click.option(
        "--output",
        "--outputs",
        "output",
        multiple=True,
        metavar="NODE",
        callback=_split,
        help="Output node; repeatable, or several with commas.",
    ),
    click.option(
        "--input-shape",
        multiple=True,
        metavar="[NAME=]1x224x224x3",
        help="Fix dynamic dimensions; repeatable.",
    ),
    click.option("--graph", metavar="FILE", help="Graph of a checkpoint that has no .meta."),
)
trust_option = click.option("--trust", is_flag=True, help="Open a model that carries code, and let that code run.")
data_options = _group(
    click.option("--labels", metavar="FILE", help="Class names, one a line."),
    click.option("--label-offset", type=int, metavar="N", help="Add N to each label (1 for 1001-class models)."),
    click.option("--limit", type=int, metavar="N", help="Use N samples, evenly spread over the data."),
    click.option("--x-key", metavar="KEY", help="Key of the samples in an .npz or TFRecord [x]."),
    click.option("--y-key", metavar="KEY", help="Key of the labels in an .npz or TFRecord [y]."),
)
preprocessing_options = _group(
    click.option("--resize", metavar="HxW", help="Resize pictures, e.g. 224x224."),
    click.option(
        "--central-crop",
        type=float,
        metavar="FRACTION",
        help="Keep this fraction of each side first, e.g. 0.875.",
    ),
    click.option("--mean", metavar="M[,M,M]", help="(pixel − mean) / std: one value, or one a channel."),
    click.option("--std", metavar="S[,S,S]", help="See --mean."),
    click.option("--color", type=click.Choice(["rgb", "bgr", "gray"]), help="Channel order the model wants."),
    click.option("--layout", type=click.Choice(["nhwc", "nchw"]), help="Axis order the model wants [nhwc]."),
)
evaluate_options = _group(
    click.option(
        "--task",
        type=click.Choice(["auto", "classification", "regression", "outputs"]),
        help="What is measured [auto: from the labels].",
    ),
    click.option("--metric", metavar="MODULE:CALLABLE", help="Your metric: (outputs, label) → a number a sample."),
    click.option("--workers", type=int, metavar="N", help="Processes to evaluate with [one a core]."),
)
benchmark_options = _group(
    click.option("--threads", type=int, multiple=True, metavar="N", help="Threads of the runtime [1]; repeatable."),
    click.option("--xnnpack", type=click.Choice(["on", "off", "both"]), help="XNNPACK kernels [on]."),
    click.option(
        "--latency-budget",
        type=float,
        metavar="SECONDS",
        help="Time for benchmarking, all models together [20].",
    ),
)
search_options = _group(
    click.option(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="Search for the best model that loses no more points of accuracy than this, e.g. 1.0.",
    ),
    click.option(
        "--min-agreement",
        type=float,
        metavar="FRACTION",
        help="Search for the best model that gives this part of the original's answers, e.g. 0.98; needs no labels.",
    ),
    click.option("--objective", type=click.Choice(["size", "latency"]), help="What the search makes smallest [size]."),
    click.option("--time-budget", metavar="TIME", help="Time for the search: 90s, 5m, 1h [10m]."),
    click.option(
        "--better", type=click.Choice(["higher", "lower"]), help="Which values of --metric are better, for --max-drop."
    ),
)
config_option = click.option("--config", metavar="FILE", help="Settings file [tfmobile.toml of this folder].")
display_options = _group(
    click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output, nothing else."),
    click.option("--quiet", "-q", is_flag=True, help="No progress."),
)
