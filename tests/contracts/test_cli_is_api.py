"""Every command is a Python function of the same name, with the same parameters and defaults."""

from __future__ import annotations

import inspect
import json

import click
import pytest
from click.testing import CliRunner

import tfmobile
from tfmobile.cli import COMMANDS, group

API_COMMANDS = [name for name in COMMANDS if name != "completion"]
SHOWN_ONLY = {"as_json", "quiet", "all_layers"}
API_ONLY = {"progress", "observe"}


def command_of(name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", API_COMMANDS)
def test_a_command_has_an_api_twin_with_the_same_parameters(name: str) -> None:
    options = {param.name for param in command_of(name).params} - SHOWN_ONLY
    parameters = set(inspect.signature(getattr(tfmobile, name.replace("-", "_"))).parameters) - API_ONLY
    assert options == parameters


@pytest.mark.parametrize("name", API_COMMANDS)
def test_defaults_are_the_same(name: str) -> None:
    parameters = inspect.signature(getattr(tfmobile, name.replace("-", "_"))).parameters
    command = command_of(name)
    required = {param.name for param in command.params if param.required}
    parsed = command.make_context(name, [], resilient_parsing=True).params
    for key in parsed.keys() - SHOWN_ONLY - required:
        assert parsed[key] == parameters[key].default, key


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_its_summary_and_json(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0
    assert "--json" in result.output
    words = COMMANDS[name].summary.rstrip(".").split()[:2]
    assert " ".join(words) in " ".join(result.output.split())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_has_help(name: str) -> None:
    for param in command_of(name).params:
        if isinstance(param, click.Option):
            assert param.help, f"{name} {param.opts}"


@pytest.mark.parametrize("name", ["list-recipes", "list-targets"])
def test_json_prints_one_document(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--json"])
    assert json.loads(result.stdout)


def test_completion_knows_commands_recipes_and_targets() -> None:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(group, {}, "tfmobile", "_TFMOBILE_COMPLETE")
    assert [item.value for item in complete.get_completions([], "opt")] == ["optimize"]
    recipes = [item.value for item in complete.get_completions(["optimize", "--recipe"], "int8")]
    assert recipes == [
        "int8",
        "int8-best",
        "int8-fast",
        "int8-per-tensor",
        "int8-per-tensor-best",
        "int8-per-tensor-fast",
    ]
    targets = [item.value for item in complete.get_completions(["optimize", "--target"], "rasp")]
    assert "raspberry-pi" in targets


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for(shell: str) -> None:
    result = CliRunner().invoke(group, ["completion", shell])
    assert result.exit_code == 0
    assert "_TFMOBILE_COMPLETE" in result.output
