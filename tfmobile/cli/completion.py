"""``tfmobile completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tfmobile.cli.display import print_json
from tfmobile.cli.options import display_options

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@display_options
def command(shell: str, as_json: bool, quiet: bool) -> None:
    """Print the shell completion script for SHELL.

    \b
    bash:  eval "$(tfmobile completion bash)"    (in ~/.bashrc)
    zsh:   eval "$(tfmobile completion zsh)"     (in ~/.zshrc)
    fish:  tfmobile completion fish | source     (in config.fish)
    """
    script = completion(shell)
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)


def completion(shell: str) -> str:
    """The script that makes ``shell`` complete commands, options, recipes and targets."""
    from tfmobile.cli import group

    kind = get_completion_class(shell)
    assert kind is not None
    return kind(group, {}, "tfmobile", "_TFMOBILE_COMPLETE").source()
