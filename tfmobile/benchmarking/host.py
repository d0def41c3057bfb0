"""``benchmark`` on this machine: a child for every model and setting, all timed interleaved."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfmobile.artifacts import Latency, NamedModel
from tfmobile.benchmarking import inputs, notes
from tfmobile.benchmarking.results import latency_row, ratios
from tfmobile.benchmarking.runner_process import RunnerProcess
from tfmobile.benchmarking.schedule import STAGE, Contender, race
from tfmobile.benchmarking.setting import TENSORFLOW, TFLITE, Measured, Setting
from tfmobile.errors import TfmobileError, UsageError
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import Progress, silent
from tfmobile.runtime import child

SEED = 0


def benchmark(
    models: Sequence[NamedModel],
    *,
    feeds: Sequence[Mapping[str, Array]] = (),
    threads: Sequence[int] = (1,),
    xnnpack: Sequence[bool] = (True,),
    tensorflow: Graph | None = None,
    time_budget_s: float = 20.0,
    warmup: int = 5,
    timeout_s: float = 180.0,
    progress: Progress = silent,
) -> Latency:
    """Latency and memory of all models in all settings; ``models[0]`` is the baseline of the ratios.

    ``feeds`` are samples by input key, real values with the batch dimension; at most 16 are cycled. Without them,
    seeded random values are fed. ``tensorflow`` is the original's graph, timed too, once for every number of threads.
    ``time_budget_s`` seconds are for the timed runs of everything together; starting and warming up come on top.

    A setting that fails, or does not answer within ``timeout_s`` seconds, is left out with a note. Raises
    VerificationError or ToolError when a model works in none, DataError when the samples do not fit, UsageError when
    there is nothing to do.
    """
    if not models or not threads or not xnnpack:
        raise UsageError("There is nothing to time.", fixes=["Name a model, at least one --threads and one --xnnpack."])
    start = time.monotonic()
    with child.temporary_folder() as folder, contextlib.ExitStack() as stack:
        session = _Session(folder, stack, timeout_s, progress)
        for model in models:
            path = folder / f"model{len(session.started)}.tflite"
            path.write_bytes(model.content)
            for count in threads:
                for on in xnnpack:
                    session.start(Setting(model.name, TFLITE, count, on), {"model": str(path)})
        if tensorflow is not None:
            _start_tensorflow(session, models[0].name, tensorflow, threads)
        session.check(models)
        fed = session.feed(feeds)
        contenders = session.ready()
        race(contenders, warmup=warmup, time_budget_s=time_budget_s, seed=SEED, progress=progress)
        session.drop(contenders)
        session.check(models)
    measured = [one.measured for one in contenders if one.error is None]
    return Latency(
        host=session.host,
        inputs=fed,
        rows=tuple(latency_row(one) for one in measured),
        ratios=ratios(measured, models[0].name),
        seconds=time.monotonic() - start,
        notes=(*session.notes, *notes.of_results(measured, time_budget_s, session.host)),
    )


def _start_tensorflow(session: _Session, name: str, graph: Graph, threads: Sequence[int]) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        session.notes.append("The original was not timed under TensorFlow, which is not installed.")
        return
    from tfmobile.benchmarking.tensorflow_runner import describe
    from tfmobile.graph.graphdef import serialize

    path = session.folder / "graph.pb"
    path.write_bytes(serialize(graph))
    ends = {"inputs": [describe(spec) for spec in graph.inputs], "outputs": [describe(spec) for spec in graph.outputs]}
    for count in threads:
        session.start(Setting(name, TENSORFLOW, count, False), {"graph": str(path), **ends})


@dataclass
class _Started:
    contender: Contender
    ports: tuple[inputs.Port, ...]


@dataclass
class _Session:
    """The children of one benchmark, in the order of the rows."""

    folder: Path
    stack: contextlib.ExitStack
    timeout_s: float
    progress: Progress
    started: list[_Started] = field(default_factory=list)
    failed: dict[Setting, TfmobileError] = field(default_factory=dict)
    host: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def start(self, setting: Setting, fields: Mapping[str, Any]) -> None:
        """Start a child and load the model in it."""
        self.progress(STAGE, 0, None)
        folder = self.folder / f"child{len(self.started) + len(self.failed)}"
        folder.mkdir()
        process = self.stack.enter_context(RunnerProcess(setting, folder, self.timeout_s))
        try:
            hello = process.request("hello")
            loaded = process.request("load", threads=setting.threads, xnnpack=setting.xnnpack, **fields)
        except TfmobileError as error:
            self._fail(setting, error)
            return
        self.host = {**hello["host"], **self.host}
        key = "tensorflow" if setting.runtime == TENSORFLOW else "runtime"
        self.host[key] = hello["version"] if key == "tensorflow" else f"{hello['runtime']} {hello['version']}".strip()
        self.notes += notes.of_loading(setting, loaded["delegated_ops"], self.notes)
        contender = Contender(process, Measured(setting, loaded["init_ms"]))
        self.started.append(_Started(contender, inputs.ports(loaded["inputs"])))

    def feed(self, feeds: Sequence[Mapping[str, Array]]) -> str:
        """Hand every child its inputs; returns what they are, in words."""
        used = list(feeds)[: inputs.MOST_SAMPLES]
        spans = inputs.ranges([one.ports for one in self.started])
        for number, one in enumerate(self.started):
            setting = one.contender.measured.setting
            arrays = (
                inputs.arrange(used, one.ports, str(setting)) if used else inputs.random_feeds(one.ports, spans, SEED)
            )
            path = self.folder / f"feeds{number}.npz"
            inputs.write(path, arrays)
            try:
                answer = one.contender.process.request("feed", path=str(path))
            except TfmobileError as error:
                one.contender.error = error
                continue
            finally:
                path.unlink()
            one.contender.measured.feed_bytes = answer["memory"]["feeds"]
            one.contender.measured.init_ms += answer.get("init_ms", 0.0)
        self.drop([one.contender for one in self.started])
        if not used:
            return inputs.describe_random(spans)
        return f"{len(used)} samples of the data, in turn" if len(used) > 1 else "one sample of the data"

    def ready(self) -> list[Contender]:
        """The children that loaded and took their inputs."""
        return [one.contender for one in self.started if one.contender.error is None]

    def drop(self, contenders: Sequence[Contender]) -> None:
        """Note the ones that failed."""
        for one in contenders:
            if one.error is not None and one.measured.setting not in self.failed:
                self._fail(one.measured.setting, one.error)

    def check(self, models: Sequence[NamedModel]) -> None:
        """Raise the first error of a model for which no setting works."""
        works = {one.measured.setting.name for one in self.ready() if one.measured.setting.runtime == TFLITE}
        for model in models:
            errors = [error for setting, error in self.failed.items() if setting.name == model.name]
            if model.name not in works and errors:
                raise errors[0]

    def _fail(self, setting: Setting, error: TfmobileError) -> None:
        self.failed[setting] = error
        self.notes.append(f"Not timed: {error.what} {error.why}".strip())
