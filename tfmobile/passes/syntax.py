"""The text of a list of passes, as the Graph Transform Tool wrote it: ``name(arg=value, arg="1,2") name …``.

passes    = { call }              apart by white space; commas, backslashes at a line's end and # comments also
call      = name [ "(" [ argument { "," argument } ] ")" ]
argument  = name "=" value        an argument may repeat
value     = word | '"' text '"'   in quotes, \\ stands before a quote or a backslash that is meant
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfmobile.errors import PassSyntaxError

_SPACE = re.compile(r"(?:\s|,|\\(?=\s|$)|#[^\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_WORD = re.compile(r"[A-Za-z0-9_./:+-]+")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)


@dataclass(frozen=True)
class Argument:
    """``name=value``, and where in the text the two begin."""

    name: str
    value: str
    name_position: int
    position: int


@dataclass(frozen=True)
class Call:
    """A pass as it was called. ``name`` has hyphens; ``text`` is all of the list, for messages."""

    name: str
    arguments: tuple[Argument, ...] = ()
    position: int = 0
    text: str = ""

    def __str__(self) -> str:
        """As it can be typed again."""
        inside = ", ".join(f"{item.name}={_spelled(item.value)}" for item in self.arguments)
        return f"{self.name}({inside})" if inside else self.name


def parse_calls(text: str) -> tuple[Call, ...]:
    """The passes that ``text`` calls, in order; raises PassSyntaxError. Names are not looked up here."""
    calls: list[Call] = []
    at = _skip(text, 0)
    while at < len(text):
        call, at = _call(text, at)
        calls.append(call)
        at = _skip(text, at)
    return tuple(calls)


def failure(text: str, position: int, what: str, fixes: tuple[str, ...] = ()) -> PassSyntaxError:
    """The error for something wrong at ``position`` of ``text``, with the line and a caret below it."""
    start = text.rfind("\n", 0, position) + 1
    line = text[start:].partition("\n")[0]
    column = position - start + 1
    row = text.count("\n", 0, position) + 1
    where = f"column {column}" if "\n" not in text.strip("\n") else f"line {row}, column {column}"
    left = max(0, column - 60)
    shown = line[left : left + 100]
    return PassSyntaxError(
        f"The list of passes is wrong at {where}: {what}",
        why=f"{shown}\n{' ' * (column - 1 - left)}^",
        fixes=fixes or ('Write it as: fold_constants round_weights(num_steps=256) remove_nodes(op=Identity, op="X")',),
    )


def _call(text: str, at: int) -> tuple[Call, int]:
    name = _NAME.match(text, at)
    if name is None:
        raise failure(text, at, f"a pass's name should stand here, not {_seen(text, at)}.")
    start, at = at, name.end()
    canonical = name.group().replace("_", "-")
    if not text.startswith("(", at):
        return Call(canonical, (), start, text), at
    arguments: list[Argument] = []
    at = _skip(text, at + 1)
    while not text.startswith(")", at):
        argument, at = _argument(text, at)
        arguments.append(argument)
        following = _skip(text, at)
        if following == at and not text.startswith(")", at):
            raise failure(text, at, f"a comma or a closing parenthesis should stand here, not {_seen(text, at)}.")
        at = following
    return Call(canonical, tuple(arguments), start, text), at + 1


def _argument(text: str, at: int) -> tuple[Argument, int]:
    name, start = _NAME.match(text, at), at
    if name is None:
        raise failure(text, at, f"an argument's name should stand here, not {_seen(text, at)}.")
    at = name.end()
    if not text.startswith("=", at):
        raise failure(text, at, f"'=' should follow the argument '{name.group()}', not {_seen(text, at)}.")
    quoted = _QUOTED.match(text, at + 1)
    if quoted is not None:
        inside = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
        value, end = re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL), quoted.end()
    elif text[at + 1 : at + 2] in ('"', "'"):
        raise failure(text, at + 1, "this quote is never closed.")
    else:
        word = _WORD.match(text, at + 1)
        if word is None:
            what = f"a value should follow '{name.group()}=', not {_seen(text, at + 1)}."
            raise failure(text, at + 1, what)
        value, end = word.group(), word.end()
    return Argument(name.group().replace("-", "_"), value, start, at + 1), end


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _seen(text: str, at: int) -> str:
    return f"'{text[at]}'" if at < len(text) else "the end"


def _spelled(value: str) -> str:
    if _WORD.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
