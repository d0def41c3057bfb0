"""How the default passes grow with the graph: seconds and memory for synthetic networks of 1,600 to 50,000 nodes.

Each network (see synthetic_graph.py) is written to a file; a fresh process imports TensorFlow, rewrites a tiny graph to
warm up, notes its memory, then reads the file and runs the default passes, every one verified on two random samples.
Memory is the highest resident size from then on, less that before the file was read, over the size of the file. The
exponent is the slope of log(seconds) over log(nodes): 1 is linear.

    python benchmarks/pipeline_scale.py [--repeat 3] [--blocks 28 56 …] [--channels 96] [--plot FILE] [--json]

Linux only (/proc). The largest network takes 440 MB of disk and 1.2 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLOT = Path(__file__).with_suffix(".svg")
BLOCKS = (28, 56, 112, 224, 448, 895)
SLOPE_BAR = 1.15
MEMORY_BAR = 3.0
"""For the largest network, of times its file."""


@dataclass(frozen=True)
class Run:
    """One network, once; ``passes`` are seconds by name, ``memory_bytes`` the peak above what was there before."""

    nodes: int
    nodes_after: int
    file_bytes: int
    memory_bytes: int
    load_s: float
    verify_s: float
    passes: dict[str, float] = field(default_factory=dict)
    max_rel: float = 0.0

    @property
    def passes_s(self) -> float:
        """All passes together."""
        return sum(self.passes.values())

    @property
    def memory_ratio(self) -> float:
        """Peak memory over the size of the file."""
        return self.memory_bytes / self.file_bytes


def write(blocks: int, channels: int, file: Path) -> None:
    """In a process of its own: build the network and write it."""
    from benchmarks.synthetic_graph import build
    from tfmobile.graph.graphdef import serialize

    file.write_bytes(serialize(build(blocks, channels)))


def measure(channels: int, file: Path) -> Run:
    """In a process of its own: read the file, rewrite, and tell."""
    from benchmarks.synthetic_graph import build, ends
    from tfmobile.graph.graphdef import from_graph_def
    from tfmobile.passes import rewrite

    rewrite(build(1, 4))
    before = resident()
    start = time.perf_counter()
    graph = from_graph_def(file.read_bytes(), *ends(channels))
    loaded = time.perf_counter()
    result = rewrite(graph)
    done = time.perf_counter()
    if any(step.refused or step.max_rel is None for step in result.steps):
        raise SystemExit(f"a pass was refused, or could not be verified: {result.steps}")
    passes = {step.name: step.seconds for step in result.steps}
    return Run(
        nodes=len(graph),
        nodes_after=len(result.graph),
        file_bytes=file.stat().st_size,
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
        load_s=loaded - start,
        verify_s=done - loaded - sum(passes.values()),
        passes=passes,
        max_rel=max(step.max_rel or 0.0 for step in result.steps),
    )


def resident() -> int:
    """The resident size of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def child(*words: str | Path) -> str:
    """This script in a fresh process; its output."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).resolve()), *map(str, words)]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{process.stderr[-3000:]}")
    return process.stdout


def best(runs: Sequence[Run]) -> Run:
    """The shortest of each time, since other work on the machine only adds to it; of memory the largest."""
    return Run(
        nodes=runs[0].nodes,
        nodes_after=runs[0].nodes_after,
        file_bytes=runs[0].file_bytes,
        memory_bytes=max(run.memory_bytes for run in runs),
        load_s=min(run.load_s for run in runs),
        verify_s=min(run.verify_s for run in runs),
        passes={name: min(run.passes[name] for run in runs) for name in runs[0].passes},
        max_rel=max(run.max_rel for run in runs),
    )


def exponent(runs: Sequence[Run], seconds: Sequence[float]) -> float:
    """The least-squares slope of log(seconds) over log(nodes)."""
    x = [math.log(run.nodes) for run in runs]
    y = [math.log(max(one, 1e-9)) for one in seconds]
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def series(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Seconds by what takes them, smallest network first."""
    return {
        "load": [run.load_s for run in runs],
        **{name: [run.passes[name] for run in runs] for name in runs[0].passes},
        "all passes": [run.passes_s for run in runs],
        "verification": [run.verify_s for run in runs],
    }


def print_table(runs: Sequence[Run]) -> None:
    """All numbers for people."""
    print(f"{'nodes':<24}" + "".join(f"{run.nodes:>10,}" for run in runs) + f"{'exponent':>10}")
    print(f"{'nodes after':<24}" + "".join(f"{run.nodes_after:>10,}" for run in runs))
    print(f"{'file, MB':<24}" + "".join(f"{run.file_bytes / 1e6:>10.1f}" for run in runs))
    for name, seconds in series(runs).items():
        figures = "".join(f"{one:>10.3f}" for one in seconds)
        print(f"{name + ', s':<24}{figures}{exponent(runs, seconds):>10.2f}")
    print(f"{'peak memory, MB':<24}" + "".join(f"{run.memory_bytes / 1e6:>10.0f}" for run in runs))
    print(f"{'peak memory / file':<24}" + "".join(f"{run.memory_ratio:>10.2f}" for run in runs))
    print(f"largest difference of an output: {max(run.max_rel for run in runs):.1e} of its largest value")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when time grows faster than it may, or the largest network takes too much memory."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["write"]:
        write(int(words[1]), int(words[2]), Path(words[3]))
        return 0
    if words[:1] == ["measure"]:
        print(json.dumps(asdict(measure(int(words[1]), Path(words[2])))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--blocks", type=int, nargs="+", default=BLOCKS, help="sizes; a block is about 57 nodes")
    parser.add_argument("--channels", type=int, default=96, help="width; a block has 52 · channels² bytes of weights")
    parser.add_argument("--plot", type=Path, default=PLOT, help="where to draw it")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    options = parser.parse_args(words)
    runs = [all_runs(blocks, options) for blocks in sorted(options.blocks)]
    if options.json:
        print(json.dumps([asdict(run) for run in runs]))
    else:
        print_table(runs)
    from benchmarks.scale_chart import draw

    options.plot.write_text(draw(runs), encoding="utf-8")
    slope = exponent(runs, [run.passes_s for run in runs])
    return int(slope > SLOPE_BAR or runs[-1].memory_ratio > MEMORY_BAR)


def all_runs(blocks: int, options: argparse.Namespace) -> Run:
    """The best over the repetitions for one size."""
    with tempfile.TemporaryDirectory(prefix="tfmobile-benchmark-") as folder:
        file = Path(folder) / "graph.pb"
        child("write", str(blocks), str(options.channels), file)
        found = [Run(**json.loads(child("measure", str(options.channels), file))) for _ in range(options.repeat)]
    run = best(found)
    if not options.json:
        print(f"{run.nodes:>7,} nodes  {run.passes_s:7.2f} s  {run.memory_ratio:5.2f} × the file", file=sys.stderr)
    return run


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
