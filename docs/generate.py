"""Write docs/reference from the tables in the code; ``--check`` only says which pages are out of date (exit code 1).

One function a page: it returns the page's text, made from docstrings, option help and TOML rows. So a page can be
wrong only where the program itself is.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
NOTICE = "<!-- Written by docs/generate.py from the code. Change it there, then run `make docs`. -->"
EXITS_WITHOUT_CLASS = {
    0: "The command did what it was asked to.",
    70: "A bug in tfmobile: an error that none of the classes below describes.",
    130: "Interrupted with Ctrl-C. Finished steps are kept; the same command goes on from there.",
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them; returns the exit code."""
    stale = []
    for name, make in PAGES.items():
        page, text = REFERENCE / f"{name}.md", f"{NOTICE}\n\n{make().strip()}\n"
        if page.is_file() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(page.relative_to(ROOT))
        if "--check" not in arguments:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    if "--check" in arguments:
        for path in stale:
            print(f"{path} is not what the code says; run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    print(f"{len(stale)} of {len(PAGES)} pages written to {REFERENCE.relative_to(ROOT)}")
    return 0


def commands_page() -> str:
    """Every command: what it does, its arguments and its options."""
    from tfmobile.cli import COMMANDS, group

    context = click.Context(group, info_name="tfmobile")
    summary = table(
        ["Command", "What it does"],
        ([f"[`{name}`](#{name})", command.summary] for name, command in COMMANDS.items()),
    )
    parts = ["# Commands", prose(group.help), summary]
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        parts += [f"## {name}", *command_parts(name, command)]
    parts.append("Values in square brackets are defaults. Exit codes: [errors](errors.md).")
    return "\n\n".join(parts)


def command_parts(name: str, command: click.Command) -> list[str]:
    """Usage line, description and option table of one command."""
    arguments = [spelled_argument(param) for param in command.params if isinstance(param, click.Argument)]
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    usage = " ".join(["tfmobile", name, *arguments, "[OPTIONS]"])
    rows = [[spelled_option(option), option.help or ""] for option in options]
    return [f"```\n{usage}\n```", prose(command.help), table(["Option", "Meaning"], rows)]


def spelled_argument(argument: click.Argument) -> str:
    """``MODEL``, ``[MODEL]`` when it may be left out, ``[bash|zsh|fish]`` when it is a choice."""
    name = argument.metavar or (choices(argument) or (argument.name or "").upper())
    name = f"{name}..." if argument.nargs != 1 else name
    return name if argument.required else f"[{name}]"


def spelled_option(option: click.Option) -> str:
    """``--out, -o DIR``, as it is typed."""
    names = "/".join([", ".join(option.opts), *option.secondary_opts])
    if option.is_flag:
        return f"`{names}`"
    value = option.metavar or choices(option) or option.type.name.upper()
    return f"`{names} {value}`"


def choices(param: click.Parameter) -> str:
    """``a|b|c`` for a parameter that takes one of a few words, else nothing."""
    return "|".join(map(str, param.type.choices)) if isinstance(param.type, click.Choice) else ""


def recipes_page() -> str:
    """Every recipe, and what the keys of a recipe file mean."""
    from tfmobile.quantization.recipe import Recipe, recipe, recipe_names

    rows = [recipe(name) for name in recipe_names()]
    heads = ["Recipe", "Weights", "Activations", "Scales", "Calibrates", "Inputs and outputs", "`--io` may be"]
    lines = [
        [
            f"[`{row.name}`](#{row.name})",
            row.weights,
            row.activations,
            row.granularity,
            yes(row.needs_calibration),
            row.io,
            ", ".join(row.io_allowed),
        ]
        for row in rows
    ]
    parts = ["# Recipes", "What `--recipe` takes: a name from this page, or the path of a `.toml` file of your own."]
    parts.append(table(heads, lines))
    parts += [f"## {row.name}\n\n{row.summary}\n\n{as_toml(row, skip=('name', 'summary'))}" for row in rows]
    parts += ["## Keys of a recipe file", prose(Recipe.__doc__), key_table(Recipe, skip=("name",))]
    return "\n\n".join(parts)


def targets_page() -> str:
    """Every target, and what the keys of a target file mean."""
    from tfmobile.targets import target, target_names

    rows = [target(name) for name in target_names()]
    parts = ["# Targets", "What `--target` takes. A target's rules are checked before any work and on the result."]
    parts.append(table(["Target", "Meaning"], ([f"[`{row.name}`](#{row.name})", row.summary] for row in rows)))
    for row in rows:
        parts += [f"## {row.name}", row.summary, as_toml(row, skip=("name", "summary", "notes"))]
        parts.append("\n".join(f"- {note}" for note in row.notes))
    parts += ["## Keys of a target file", prose(type(rows[0]).__doc__), key_table(type(rows[0]), skip=("name",))]
    return "\n\n".join(filter(None, parts))


def passes_page() -> str:
    """Every pass, with its arguments; first those that run by default."""
    from tfmobile.passes import BAKED_PASSES, DEFAULT_PASSES, PASSES

    baked = [name for name in BAKED_PASSES if name not in DEFAULT_PASSES]
    parts = [
        "# Passes",
        "What `--passes` takes. Each pass is verified on sample inputs against the original graph; one that changes "
        "the answer beyond the tolerance is refused. Passes marked with ≈ are meant to change numbers or names: they "
        "do what they are told, and how far the answer moves is measured. How a list of passes is written: "
        "[transform](../transform.md).",
        f"`optimize` runs, in this order: {', '.join(f'`{name}`' for name in DEFAULT_PASSES)}; with "
        f"`--bake-preprocessing` also {', '.join(f'`{name}`' for name in baked)}.",
        table(["Pass", "What it does"], (passes_row(name) for name in PASSES)),
    ]
    return "\n\n".join([*parts, *(pass_section(name) for name in PASSES)])


def passes_row(name: str) -> list[str]:
    """Name and first sentence of a pass."""
    from tfmobile.passes.catalogue import first_sentence

    kind = pass_class(name)
    mark = "" if kind.keeps_answer else " ≈"
    return [f"[`{name}`](#{name}){mark}", first_sentence(inspect.getdoc(kind) or "")]


def pass_section(name: str) -> str:
    """A pass: other names, docstring, arguments."""
    from tfmobile.passes import ALIASES

    kind = pass_class(name)
    also = [f"`{alias}`" for alias, meant in ALIASES.items() if meant == name]
    parts = [f"## {name}", f"Also called {' and '.join(also)}." if also else "", prose(inspect.getdoc(kind))]
    if dataclasses.fields(kind):
        parts.append(key_table(kind, underscores=True))
    return "\n\n".join(filter(None, parts))


def pass_class(name: str) -> Any:
    """The class of a pass."""
    from tfmobile.passes import PASSES
    from tfmobile.registry import load

    return load("pass", PASSES, name)


def errors_page() -> str:
    """Every error code and exit code."""
    classes = error_classes()
    by_exit: dict[int, list[str]] = {code: [text] for code, text in EXITS_WITHOUT_CLASS.items()}
    for kind in classes:
        by_exit.setdefault(kind.exit_code, []).append(f"[`{kind.code}`](#{kind.code})")
    parts = [
        "# Errors and exit codes",
        "An error says what is wrong, why, and at least one next step. With `--json` it is one JSON document on "
        "standard output. `code` and exit code are stable: scripts may rely on them.",
        table(["Exit code", "Meaning"], ([str(code), ", ".join(by_exit[code])] for code in sorted(by_exit))),
    ]
    for kind in classes:
        parts += [f"## {kind.code}", f"{prose(kind.__doc__)}\n\nExit code {kind.exit_code}, `{kind.__name__}`."]
    return "\n\n".join(parts)


def error_classes() -> list[Any]:
    """Every subclass of TfmobileError, by exit code; every module of the package is imported to find them."""
    from tfmobile.errors import TfmobileError

    for file in sorted((ROOT / "tfmobile").rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__") and re.search(
            r"^class \w+\((\w+\.)?\w*Error\)", file.read_text("utf-8"), re.M
        ):
            importlib.import_module(name)
    found, waiting = [], [TfmobileError]
    while waiting:
        children = waiting.pop(0).__subclasses__()
        found += children
        waiting += children
    return sorted(found, key=lambda kind: kind.exit_code)


def settings_page() -> str:
    """Every key of tfmobile.toml."""
    from tfmobile.plan import SECTIONS

    parts = [
        "# tfmobile.toml",
        "Settings for a run: the file that `--config` names, else `tfmobile.toml` in the current folder. A key is "
        "the option without its dashes; an option that is typed wins. Paths are relative to the file. "
        "An unknown key is an error. `trust` cannot stand here: it has to be typed.",
    ]
    for name, kind in SECTIONS.items():
        parts += [f"## [{name}]", prose(kind.__doc__), key_table(kind)]
    return "\n\n".join(parts)


def key_table(kind: Any, skip: Iterable[str] = (), *, underscores: bool = False) -> str:
    """The fields of a dataclass as TOML keys, or with ``underscores`` as arguments: name, type, default."""
    hints = typing.get_type_hints(kind)
    rows = [
        [
            f"`{field.name.removesuffix('_') if underscores else field.name.replace('_', '-')}`",
            spelled_type(hints[field.name]),
            default(field),
        ]
        for field in dataclasses.fields(kind)
        if field.name not in skip
    ]
    return table(["Argument" if underscores else "Key", "Type", "Default"], rows)


def default(field: Any) -> str:
    """The default as TOML would write it; a dash for a key that is unset."""
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    elif field.default is dataclasses.MISSING:
        return "must be given"
    else:
        value = field.default
    return "–" if value in (None, "", ()) or value == {} else f"`{toml(value)}`"


def spelled_type(hint: Any) -> str:
    """A type hint in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{toml(value)}`" for value in arguments if value != "")
    if origin is tuple:
        return f"list of {spelled_type(arguments[0])}"
    inner = [one for one in arguments if one is not type(None)]
    if inner and origin not in (dict,):
        return " or ".join(spelled_type(one) for one in inner) if origin is not None else str(hint)
    names = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def as_toml(row: Any, skip: Iterable[str]) -> str:
    """A dataclass as the TOML rows that differ from its defaults."""
    lines = []
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        if field.name in skip or value in (None, "", ()) or value == field.default:
            continue
        lines += wrapped(f"{field.name.replace('_', '-')} = {toml(value)}")
    return "```toml\n" + "\n".join(lines) + "\n```"


def wrapped(line: str, width: int = 100) -> list[str]:
    """A row that is too long, its list of words broken into lines."""
    head, bracket, items = line.removesuffix("]").partition("[")
    if len(line) <= width or not bracket:
        return [line]
    return [f"{head}[", *textwrap.wrap(items + ",", width, initial_indent="  ", subsequent_indent="  "), "]"]


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return "{ " + ", ".join(f"{name.replace('_', '-')} = {toml(item)}" for name, item in fields) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)


def yes(value: bool) -> str:
    """yes or no."""
    return "yes" if value else "no"


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: double backquotes become single, blocks after ``\\b`` become code."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(docstring or ""))
    return "\n\n".join(paragraph_text(one) for one in paragraphs)


def paragraph_text(paragraph: str) -> str:
    """One paragraph on one line, or a code block when click is told not to wrap it."""
    if paragraph.startswith("\b"):
        return "```\n" + paragraph.removeprefix("\b").strip("\n") + "\n```"
    text = paragraph.replace("``", "`")
    return text if re.search(r"^\s*([-*]|\d+\.) ", text, re.M) else " ".join(text.split())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands": commands_page,
    "settings": settings_page,
    "recipes": recipes_page,
    "targets": targets_page,
    "passes": passes_page,
    "errors": errors_page,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
