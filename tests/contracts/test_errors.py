"""Every error a user can meet has a stable code, a description, a page entry, and always a next step."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from tfmobile import errors
from tfmobile.errors import TfmobileError

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for path in (ROOT / "tfmobile").rglob("*.py") if path.name != "errors.py")
ERRORS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TfmobileError)),
    key=lambda kind: kind.__name__,
)
RAISED = [kind for kind in ERRORS if kind is not TfmobileError]
NAMES = {kind.__name__ for kind in ERRORS}


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in ERRORS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.code)
def test_an_error_describes_itself_and_has_its_own_code(kind: type[TfmobileError]) -> None:
    assert kind.__doc__
    assert "code" in vars(kind), "a code that is inherited is not its own"
    assert kind.code == kind.code.lower().replace("_", "-")
    assert kind.exit_code not in (0, 1, 70)


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.code)
def test_an_error_is_on_the_reference_page(kind: type[TfmobileError]) -> None:
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    assert f"\n## {kind.code}\n" in page
    assert f"Exit code {kind.exit_code}, `{kind.__name__}`." in page


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.code)
def test_an_error_crosses_a_process_border_whole(kind: type[TfmobileError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("It broke.", why="It fell.", fixes=["Pick it up."])))
    assert type(copy) is kind
    assert (copy.what, copy.why, copy.fixes) == ("It broke.", "It fell.", ("Pick it up.",))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_error_is_never_made_without_a_next_step(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in NAMES]
    without = [f"line {node.lineno}: {_called(node)}" for node in calls if not _has_fixes(node)]
    assert not without


def test_all_errors_live_in_one_module() -> None:
    elsewhere = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and {_name(base) for base in node.bases} & NAMES:
                elsewhere.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not elsewhere


def _called(call: ast.Call) -> str:
    return _name(call.func)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _has_fixes(call: ast.Call) -> bool:
    """Whether ``fixes=`` is given and is not an empty literal; ``**values`` may hold it."""
    for keyword in call.keywords:
        if keyword.arg is None:
            return True
        if keyword.arg == "fixes":
            value = keyword.value
            literal = isinstance(value, (ast.List, ast.Tuple))
            return not literal or any(not _is_empty_text(item) for item in value.elts)
    return False


def _is_empty_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""
