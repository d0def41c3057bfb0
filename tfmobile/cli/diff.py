"""``tfmobile diff``."""

from __future__ import annotations

from typing import Any

import click

from tfmobile.cli.display import console, print_json, progress_bars
from tfmobile.cli.options import display_options, model_options, preprocessing_options, trust_option


@click.command("diff")
@click.argument("model", metavar="A")
@click.argument("other", metavar="B")
@click.option("--data", metavar="PATH", help="Samples to compare on [random numbers].")
@click.option("--x-key", metavar="KEY", help="Key of the samples in an .npz or TFRecord [x].")
@click.option("--samples", type=int, default=2, show_default=True, metavar="N", help="How many samples to run.")
@click.option(
    "--tolerance",
    type=float,
    default=1e-4,
    show_default=True,
    help="From where on a tensor differs, relative to its largest value.",
)
@click.option("--check", is_flag=True, help="Exit with code 6 unless all outputs stay within the tolerance.")
@preprocessing_options
@model_options
@trust_option
@display_options
def command(as_json: bool, quiet: bool, check: bool, **options: Any) -> None:
    """Compare two models: what was added, removed and changed, and where their numbers first part.

    Each may be a TensorFlow model of any format or a .tflite. Nodes are matched by name, else by what they do; both
    models run on the same samples, and every tensor that both have is compared, quantized ones as the real values they
    stand for. Options on how a model is opened hold for each that is not a .tflite.

    \b
    tfmobile diff frozen.pb transformed.pb
    tfmobile diff frozen.pb build/model.tflite --data pictures/ --mean 127.5 --std 127.5
    """
    from tfmobile.differences import print_diff, to_dict
    from tfmobile.pipeline import diff

    with progress_bars(not (as_json or quiet)) as progress:
        found = diff(**options, progress=progress)
    if as_json:
        print_json(to_dict(found))
    else:
        print_diff(found, console())
    if check:
        _check(found, as_json)


def _check(found: Any, as_json: bool) -> None:
    from tfmobile.errors import VerificationError
    from tfmobile.steps.compared import need_agreement

    try:
        need_agreement(found)
    except VerificationError:
        if as_json:  # one document only: it says outputs_agree
            click.get_current_context().exit(VerificationError.exit_code)
        raise
