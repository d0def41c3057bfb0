"""From a call in a list of passes to the pass: the name looked up, each argument turned into its field's type."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from tfmobile import registry
from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph
from tfmobile.passes.syntax import Argument, Call, failure, parse_calls
from tfmobile.passes.table import ALIASES, PASSES


class Pass(Protocol):
    """A rewrite: a frozen dataclass whose fields are its arguments."""

    name: ClassVar[str]
    """With hyphens, as in PASSES."""
    keeps_answer: ClassVar[bool]
    """Whether the graph must answer as before. Where not, the difference is measured and told, and never refused."""

    def apply(self, graph: Graph) -> PassResult:
        """The rewritten graph. ``graph`` itself is never changed.

        Where ``keeps_answer``, no name changes the value it stands for: a node with a new value gets a new name.
        """
        ...


@dataclass(frozen=True)
class Planned:
    """A pass ready to run. With ``ignore_errors``, the graph stays as it is when the pass fails or is refused."""

    one: Pass
    call: str
    ignore_errors: bool = False


def plan_passes(passes: str | Sequence[str]) -> tuple[Planned, ...]:
    """The passes that ``passes`` names: one text, or several. Raises PassSyntaxError and UnknownNameError."""
    texts = [passes] if isinstance(passes, str) else passes
    return tuple(_planned(call) for text in texts for call in parse_calls(text))


def make_pass(text: str) -> Any:
    """The one pass that ``text`` calls, such as ``round_weights(num_steps=16)``."""
    (planned,) = plan_passes(text)
    return planned.one


def argument_name(item: dataclasses.Field[Any]) -> str:
    """How a field of a pass is called in a list of passes: ``name_`` is ``name``, which the class itself has."""
    return item.name.removesuffix("_")


def _planned(call: Call) -> Planned:
    name = ALIASES.get(call.name, call.name)
    if name not in PASSES:
        raise registry.unknown("pass", call.name, [*PASSES, *ALIASES])
    kind = registry.load("pass", PASSES, name)
    ignore = [item for item in call.arguments if item.name == "ignore_errors"]
    given = [item for item in call.arguments if item.name != "ignore_errors"]
    ignored = bool(ignore) and bool(_converted(call, ignore[-1], bool))
    return Planned(_built(kind, call, given), str(dataclasses.replace(call, name=name)), ignored)


def _built(kind: Any, call: Call, given: Sequence[Argument]) -> Pass:
    hints = typing.get_type_hints(kind)
    names = {argument_name(item): item.name for item in dataclasses.fields(kind)}
    fields = {key: hints[name] for key, name in names.items()}
    values: dict[str, Any] = {}
    for argument in given:
        if argument.name not in fields:
            raise _unknown(call, argument, fields)
        hint = fields[argument.name]
        if typing.get_origin(hint) is tuple:
            values.setdefault(argument.name, []).append(_converted(call, argument, typing.get_args(hint)[0]))
        elif argument.name in values:
            raise failure(call.text, argument.position, f"'{argument.name}' may be given to {call.name} only once.")
        else:
            values[argument.name] = _converted(call, argument, hint)
    missing = [
        argument_name(item)
        for item in dataclasses.fields(kind)
        if argument_name(item) not in values
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        example = f"{call.name}({', '.join(f'{name}=…' for name in missing)})"
        raise failure(call.text, call.position, f"{call.name} needs {' and '.join(missing)}.", (f"Write {example}.",))
    try:
        built: Pass = kind(**{names[key]: tuple(one) if isinstance(one, list) else one for key, one in values.items()})
    except ValueError as cause:
        raise failure(call.text, call.position, f"{call.name}: {cause}", ("Correct the argument.",)) from cause
    return built


def _unknown(call: Call, argument: Argument, fields: Mapping[str, Any]) -> Exception:
    known = [*fields, "ignore_errors"]
    near = registry.unknown("argument", argument.name, known).fixes
    return failure(call.text, argument.name_position, f"{call.name} has no argument '{argument.name}'.", near)


def _converted(call: Call, argument: Argument, hint: Any) -> Any:
    options = [item for item in typing.get_args(hint) if item is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        if argument.value not in options:
            raise failure(call.text, argument.position, f"'{argument.name}' is one of {', '.join(map(str, options))}.")
        return argument.value
    kind = options[0] if options else hint
    convert, what = _CONVERSIONS[kind]
    try:
        return convert(argument.value)
    except ValueError as cause:
        wrong = f"'{argument.name}' takes {what}, not '{argument.value}'."
        raise failure(call.text, argument.position, wrong, (f"Give {what}.",)) from cause


def _truth(text: str) -> bool:
    found = {"true": True, "false": False}.get(text.lower())
    if found is None:
        raise ValueError(text)
    return found


_CONVERSIONS: Mapping[Any, tuple[Callable[[str], Any], str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_truth, "true or false"),
}
