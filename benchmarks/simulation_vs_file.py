"""Does the .tflite answer as the integer simulation says, which the improvements work by?

Every case of int8_vs_peers.py is optimized; then the simulation and the file answer the same validation samples, which
neither was fitted on:

    python benchmarks/simulation_vs_file.py [--recipe int8-best] [--samples 500] [CASE …]

Needs the real models and data (TFMOBILE_SHARED, default ../shared).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
from int8_vs_peers import CASES, DATA, Case


def made(case: Case, recipe: str, folder: Path) -> tuple[Any, bytes]:
    """The graph and the .tflite after all improvements, as the judge of the line sees them."""
    import tfmobile
    from tfmobile.steps.judged import Judge

    found: list[tuple[Any, bytes]] = []
    with mock.patch.object(Judge, "simulation_agreement", lambda self, graph, content: found.append((graph, content))):
        tfmobile.optimize(
            DATA / case.model,
            recipe=recipe,
            calibrate_with=str(DATA / case.calibrate_with),
            out=str(folder),
            evaluate=False,
            benchmark=False,
            **case.options,
        )
    return found[-1]


def feeds(case: Case, content: bytes, count: int) -> list[dict[str, Any]]:
    """The first validation samples, preprocessed as the model's inputs."""
    from tfmobile.plan import make_plan
    from tfmobile.runtime import describe
    from tfmobile.steps.context import feeds_at

    options = {key: value for key, value in case.options.items() if key in ("mean", "std")}
    plan = make_plan(None, options, discover=False)
    _, found = feeds_at(plan, str(DATA / case.data), describe(content).inputs)
    return [feed for _, _, feed in itertools.islice(found, count)]


def compare(case: Case, recipe: str, count: int) -> str:
    """One line of the table: how many samples, equal answers, and samples with not one number different."""
    import numpy as np

    from tfmobile import runtime
    from tfmobile.quantization.simulation import open_simulation

    with tempfile.TemporaryDirectory(prefix="tfmobile-benchmark-") as folder:
        graph, content = made(case, recipe, Path(folder))
    samples = feeds(case, content, count)
    answers = runtime.run(content, samples)
    same = equal = 0
    with open_simulation(graph, content) as simulation:
        for feed, answer in zip(samples, answers, strict=True):
            simulated = simulation.outputs(feed)
            pairs = [(np.ravel(simulated[key]), np.ravel(answer[key])) for key in answer]
            same += all(one.argmax() == two.argmax() for one, two in pairs)
            equal += all(np.array_equal(one, two) for one, two in pairs)
    return f"{len(samples)} | {100 * same / len(samples):.1f} % | {100 * equal / len(samples):.1f} %"


def main() -> None:
    """Print a Markdown table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="int8-best")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all if not given")
    asked = parser.parse_args()
    print("| Case | Samples | Same answer | Equal to the last bit |\n| --- | ---: | ---: | ---: |")
    for name in asked.cases or CASES:
        recipe = asked.recipe.replace("int8", "int8-per-tensor", 1) if CASES[name].per_tensor else asked.recipe
        print(f"| {name} | {compare(CASES[name], recipe, asked.samples)} |", flush=True)


if __name__ == "__main__":
    main()
