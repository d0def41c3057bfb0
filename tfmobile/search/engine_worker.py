"""The child of LocalEngine: one JSON line in, one out, until standard input closes, which also means: parent gone."""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import traceback
from typing import Any

from tfmobile.errors import TfmobileError


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """What the task returns, or the error it raised in words."""
    module, _, name = message["task"].partition(":")
    try:
        return {"values": getattr(importlib.import_module(module), name)(message["request"])}
    except TfmobileError as error:
        kind = type(error).__name__
        return {"error": {"kind": kind, "what": error.what, "why": error.why, "fixes": list(error.fixes)}}
    except Exception as error:
        traceback.print_exc()
        why = traceback.format_exc(limit=-2)[-600:]
        return {"error": {"kind": "ToolError", "what": f"The trial failed: {error}", "why": why, "fixes": []}}


def main() -> None:
    """Serve the parent."""
    # What models or the user's code print goes to stderr: stdout is for answers.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        stream.write(json.dumps(answer(json.loads(lines.get()))) + "\n")
        stream.flush()


if __name__ == "__main__":
    main()
