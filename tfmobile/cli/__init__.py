"""The command line. ``tfmobile --help`` imports click and this file; a command's module is imported when it runs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click


class Command(NamedTuple):
    """Where a command is defined, and its one line in ``tfmobile --help``."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "optimize": Command("optimize", "Turn a trained model into a small, fast .tflite, and prove it on your data."),
    "inspect": Command("inspect", "Show what is in a model: operators, parameters, MACs, size by layer."),
    "freeze": Command("freeze", "Freeze any TensorFlow model into one GraphDef file."),
    "transform": Command("transform", "Run any list of passes on a graph, each one verified."),
    "diff": Command("diff", "Compare two models: what changed, and where their numbers first part."),
    "diagnose": Command("diagnose", "Find what quantization, or the data, does wrong to a model, and the fix."),
    "evaluate": Command("evaluate", "Measure accuracy on your data, with confidence intervals."),
    "benchmark": Command("benchmark", "Measure latency and memory on this machine."),
    "list-passes": Command("list_passes", "List the passes that rewrite a graph."),
    "list-recipes": Command("list_recipes", "List the quantization recipes."),
    "list-targets": Command("list_targets", "List the targets and what they need."),
    "completion": Command("completion", "Print the shell completion script."),
}

EPILOG = """\b
Exit codes: 0 done, 2 usage, 3 model, 4 data, 5 unsupported, 6 verification,
7 missing tool, 8 output, 70 a bug in tfmobile, 130 interrupted.
Every command takes --json: one JSON document on standard output, nothing else."""


class LazyGroup(click.Group):
    """A group that knows its commands by the table above and imports a command only to run it or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tfmobile.cli.{COMMANDS[cmd_name].module}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from tfmobile.registry import unknown

            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands, in the order of work"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import importlib.metadata

        click.echo(f"tfmobile {importlib.metadata.version('tfmobile')}")
        ctx.exit()


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def group() -> None:
    """Takes a trained TensorFlow model to the smallest, fastest .tflite that still answers like the original,
    and proves it on your own data and device."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: run, show errors, leave with the documented exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter would bury our own words
    try:
        code = group.main(words, prog_name="tfmobile", standalone_mode=False)
    except Exception as error:
        from tfmobile.cli.failure import show_failure

        code = show_failure(error, as_json="--json" in words)
    except KeyboardInterrupt:
        click.echo("Interrupted. What was finished is kept; run the same command again to go on.", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
