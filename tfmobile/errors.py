"""Every error a user can meet: what is wrong, why, and the next step. Imports nothing.

Raise at the point of knowledge, ``raise ModelError(...) from cause``; only ``tfmobile.cli`` catches. ``code`` is stable
(scripts match on it) and ``exit_code`` says whose move it is; both are listed in ``docs/reference/errors.md``.
"""

from __future__ import annotations

from collections.abc import Sequence


class TfmobileError(Exception):
    """Base of all expected failures. Never raised itself."""

    code = "error"
    exit_code = 70

    def __init__(self, what: str, *, why: str = "", fixes: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fixes = tuple(fixes)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.why, self.fixes)


def _rebuild(kind: type[TfmobileError], what: str, why: str, fixes: tuple[str, ...]) -> TfmobileError:
    return kind(what, why=why, fixes=fixes)


class UsageError(TfmobileError):
    """An option, a name or a key of tfmobile.toml is wrong."""

    code = "usage"
    exit_code = 2


class UnknownNameError(UsageError):
    """A recipe, target, pass or command of that name does not exist."""

    code = "unknown-name"


class PlanError(UsageError):
    """tfmobile.toml (or another TOML row) cannot be read or holds a key or value that is not known."""

    code = "plan"


class PassSyntaxError(UsageError):
    """A list of passes cannot be read, or an argument is wrong; the reason points at the column."""

    code = "pass-syntax"


class ModelError(TfmobileError):
    """The model cannot be read: missing, empty, truncated, of another format, or with no usable signature."""

    code = "model"
    exit_code = 3


class UntrustedModelError(ModelError):
    """The model carries code that would run on opening it, and ``--trust`` was not typed."""

    code = "untrusted-model"


class DataError(TfmobileError):
    """A data set cannot be used: missing, unreadable, wrong shape, no labels, NaN or constant calibration samples."""

    code = "data"
    exit_code = 4


class UnsupportedError(TfmobileError):
    """An op, a recipe or a target combination is impossible; the text names the node."""

    code = "unsupported"
    exit_code = 5


class VerificationError(TfmobileError):
    """The result does not load, does not run, or does not answer like the original."""

    code = "verification"
    exit_code = 6


class ToolError(TfmobileError):
    """Something outside is missing or failed: TensorFlow, a runtime, a child process."""

    code = "tool"
    exit_code = 7


class OutputError(TfmobileError):
    """The result cannot be written: read-only folder, full disk, a folder in use by another run."""

    code = "output"
    exit_code = 8
