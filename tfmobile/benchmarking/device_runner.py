"""Time one .tflite on the machine this file runs on. One file: the standard library, numpy and one TFLite runtime.

Copy it to a board and run ``python3 device_runner.py``, or let ``tfmobile benchmark`` start it. Python 3.9 or newer.
One JSON object a line on stdin, one answer a line on stdout, in this order:

    {"do": "hello"}                                    facts of the machine, runtime and its version
    {"do": "load", "model": PATH, "threads": 1,
     "xnnpack": true}                                  init_ms, inputs, delegated_ops, memory
    {"do": "feed", "path": "feeds.npz"}                arrays named SAMPLE.INPUT, both numbers from 0; memory
    {"do": "run", "count": 20, "warmup": 1}            times_ms of 20 timed runs after 1 that is not; memory
    {"do": "quit"}

An answer is {"ok": {...}} or {"error": {"kind": "load", "text": "..."}}. Memory is in bytes: ``baseline`` after the
runtime was imported, ``peak`` since then, ``feeds`` for the arrays that are fed; 0 where the system does not tell.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import sys
import time
import warnings
from pathlib import Path
from typing import Any

PROTOCOL = 1
RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow.lite.python.interpreter", "tensorflow"),
)


class Memory:
    """Resident memory of this process, from /proc/self on Linux and Android, else from getrusage (peak only)."""

    def __init__(self) -> None:
        self.baseline = self.highest = 0

    def start(self) -> None:
        """What is resident now is the baseline, and the peak starts here where the system allows that."""
        gc.collect()
        self.reset()
        self.baseline = self.highest = self._read("VmRSS") or self._peak()

    def reset(self) -> None:
        """Keep the peak so far and let the system count it anew (proc(5), clear_refs)."""
        self.highest = max(self.highest, self._peak())
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return

    def forget(self) -> None:
        """Leave out what was resident for a moment since ``reset``."""
        highest = self.highest
        self.reset()
        self.highest = highest

    def bytes(self) -> dict[str, int]:
        """Baseline and peak."""
        self.highest = max(self.highest, self._peak())
        return {"baseline": self.baseline, "peak": self.highest}

    def _peak(self) -> int:
        found = self._read("VmHWM")
        if found:
            return found
        try:
            import resource
        except ImportError:
            return 0
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(usage) * (1 if sys.platform == "darwin" else 1024)

    @staticmethod
    def _read(key: str) -> int:
        for line in _lines("/proc/self/status"):
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        return 0


class TFLite:
    """One model in one setting, answering requests."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.module: Any = None
        self.interpreter: Any = None
        self.places: list[int] = []
        self.feeds: list[list[Any]] = []
        self.next = 0

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        """Import numpy and the first runtime that is installed."""
        name, version = "", ""
        for module, distribution in RUNTIMES:
            try:
                self.module = importlib.import_module(module)
            except ImportError:
                continue
            name, version = distribution, _version(distribution)
            break
        else:
            raise Failure("runtime", "none of ai-edge-litert, tflite-runtime and tensorflow can be imported")
        _use_numpy()
        self.memory.start()
        return {"protocol": PROTOCOL, "runtime": name, "version": version, "host": host_facts()}

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Open the model and allocate its tensors, timed."""
        options: dict[str, Any] = {"model_path": request["model"], "num_threads": request["threads"]}
        if not request["xnnpack"]:
            kind = self.module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            options["experimental_op_resolver_type"] = kind
        start = time.perf_counter_ns()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.interpreter = self.module.Interpreter(**options)
            self.interpreter.allocate_tensors()
        except (RuntimeError, ValueError, TypeError) as cause:
            raise Failure("load", str(cause)) from cause
        init_ms = (time.perf_counter_ns() - start) / 1e6
        return {
            "init_ms": init_ms,
            "inputs": self._inputs(),
            "delegated_ops": self._delegated(),
            "memory": self.memory.bytes(),
        }

    def feed(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read the samples that are cycled; real values become integers where the model wants integers."""
        import numpy

        self.memory.reset()
        details = self.interpreter.get_input_details()
        self.places = [detail["index"] for detail in details]
        with numpy.load(request["path"], allow_pickle=False) as archive:
            count = 1 + max((int(name.split(".")[0]) for name in archive.files), default=-1)
            self.feeds = [
                [_encode(numpy, archive[f"{sample}.{position}"], detail)
                 for position, detail in enumerate(details)]
                for sample in range(count)
            ]  # fmt: skip
        if not self.feeds:
            raise Failure("feed", "the file holds no samples")
        self._fit(self.feeds[0])
        self.memory.forget()
        fed = sum(array.nbytes for feed in self.feeds for array in feed)
        return {"samples": count, "memory": dict(self.memory.bytes(), feeds=fed)}

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time ``count`` invocations; setting the inputs is not part of the time."""
        for _ in range(request.get("warmup", 0)):
            self._set()
            self._invoke()
        times = []
        gc.disable()
        try:
            for _ in range(request["count"]):
                self._set()
                start = time.perf_counter_ns()
                self._invoke()
                times.append((time.perf_counter_ns() - start) / 1e6)
        finally:
            gc.enable()
        return {"times_ms": times, "memory": self.memory.bytes()}

    def _invoke(self) -> None:
        try:
            self.interpreter.invoke()
        except (RuntimeError, ValueError) as cause:
            raise Failure("run", str(cause)) from cause

    def _set(self) -> None:
        if not self.feeds:
            raise Failure("request", "feed the model before it runs")
        feed = self.feeds[self.next % len(self.feeds)]
        self.next += 1
        for place, array in zip(self.places, feed):  # noqa: B905
            self.interpreter.set_tensor(place, array)

    def _fit(self, feed: list[Any]) -> None:
        details = self.interpreter.get_input_details()
        changed = False
        for detail, array in zip(details, feed):  # noqa: B905
            if tuple(detail["shape"]) != array.shape:
                self.interpreter.resize_tensor_input(detail["index"], array.shape)
                changed = True
        if changed:
            try:
                self.interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as cause:
                raise Failure("feed", str(cause)) from cause

    def _inputs(self) -> list[dict[str, Any]]:
        import numpy

        keys = self._keys()
        found = []
        for detail in self.interpreter.get_input_details():
            scale, zero_point = detail["quantization"]
            shape = detail.get("shape_signature", ())
            kind = detail["dtype"]
            found.append({
                "key": keys.get(int(detail["index"]), str(detail["name"])),
                "name": str(detail["name"]),
                "shape": [int(size) for size in (shape if len(shape) else detail["shape"])],
                "dtype": "string" if kind in (bytes, numpy.bytes_) else numpy.dtype(kind).name,
                "scale": float(scale),
                "zero_point": int(zero_point),
            })  # fmt: skip
        return found

    def _keys(self) -> dict[int, str]:
        try:
            signatures = self.interpreter._get_full_signature_list()
        except AttributeError:
            return {}
        for name in sorted(signatures, key=lambda one: (one != "serving_default", one)):
            return {int(index): key for key, index in signatures[name]["inputs"].items()}
        return {}

    def _delegated(self) -> int | None:
        """How many delegate kernels took over a part of the model; None when the runtime does not tell."""
        try:
            return len([one for one in self.interpreter._get_ops_details() if one["op_name"] == "DELEGATE"])
        except (AttributeError, KeyError):
            return None


class Failure(Exception):
    """A request that could not be met. ``kind`` is runtime, load, feed, run or request."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def _use_numpy() -> None:
    """What reading feeds imports when first used belongs to the baseline, not to the model."""
    import io

    import numpy

    stream = io.BytesIO()
    numpy.savez(stream, a=numpy.ones(1, numpy.float32))
    stream.seek(0)
    with numpy.load(stream) as archive:
        numpy.clip(numpy.round(archive["a"]), 0, 1).astype("int8")


def _encode(numpy: Any, array: Any, detail: dict[str, Any]) -> Any:
    kind = detail["dtype"]
    if kind in (bytes, numpy.bytes_) or array.dtype == kind:
        return numpy.ascontiguousarray(array)
    scale, zero_point = detail["quantization"]
    if scale and numpy.issubdtype(kind, numpy.integer) and array.dtype.kind == "f":
        limits = numpy.iinfo(kind)
        scaled = numpy.round(array / numpy.float32(scale)) + zero_point
        return numpy.clip(scaled, limits.min, limits.max).astype(kind)
    return numpy.ascontiguousarray(array.astype(kind))


def host_facts() -> dict[str, str]:
    """What latency depends on besides the model: processor, cores, governor, system, load."""
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:
        usable = os.cpu_count() or 1
    facts = {
        "cpu": _cpu(),
        "cores": str(usable),
        "governor": " ".join(_lines("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "os": _system(),
        "python": platform.python_version(),
    }
    if hasattr(os, "getloadavg"):
        facts["load average"] = f"{os.getloadavg()[0]:.2f}"
    return {key: value for key, value in facts.items() if value}


def _cpu() -> str:
    board = " ".join(_lines("/proc/device-tree/model")).strip("\0 ")
    for line in _lines("/proc/cpuinfo"):
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware"):
            return f"{board}, {value.strip()}" if board else value.strip()
    return board or platform.processor() or platform.machine()


def _system() -> str:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    for line in _lines("/etc/os-release"):
        if line.startswith("PRETTY_NAME="):
            name = line.partition("=")[2].strip('"')
            return f"{name}, {system}"
    return system


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _version(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def serve(model: Any) -> None:
    """Answer requests from stdin with the methods of ``model`` until ``quit`` or the end of the input."""
    # Runtimes print to the standard output as they like; the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            return
        try:
            if request["do"] not in ("hello", "load", "feed", "run"):
                raise Failure("request", f"unknown request {request['do']!r}")
            answer = {"ok": getattr(model, request["do"])(request)}
        except Failure as failure:
            answer = {"error": {"kind": failure.kind, "text": str(failure)}}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # The folder of this file holds other modules, which must not stand in for installed ones of the same name.
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [path for path in sys.path if not path or str(Path(path).resolve()) != here]
    serve(TFLite())
