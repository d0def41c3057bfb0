"""One set of samples divided in two: some to fit on, the others to judge by. Decided by what is in them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tfmobile.plan import Plan
from tfmobile.steps.context import Context, data_key
from tfmobile.workspace import Product, write_file

FIT, JUDGE = "fit-samples.json", "judge-samples.json"
MOST_TO_FIT = 500
"""More samples hardly change ranges, but every further one makes the judgement surer."""


def only_one_set(plan: Plan) -> bool:
    """Whether candidates would be made from the samples that they are judged by."""
    data, calibration = plan.data.data, plan.data.calibrate_with
    return calibration is None or data is None or Path(calibration) == Path(data)


def divide(context: Context) -> Plan:
    """The plan with two sets of samples, which ``context`` goes by from now on; the user's own where there are two.

    The two lists of samples are written to the output folder: given as --calibrate-with and --data they are the same
    samples again.
    """
    plan = context.plan
    path = plan.data.data or plan.calibration_path
    if path is None or not only_one_set(plan):
        return plan

    def compute() -> Product:
        from tfmobile.datasets.subset import divide as divide_samples

        fit, judge, total = divide_samples(plan.data_spec(path), MOST_TO_FIT, context.progress)
        return {}, {"fit": list(fit), "judge": list(judge), "of": total}

    key = data_key(plan, path)
    facts = context.step("divide", {"samples": key, "most": MOST_TO_FIT}, compute).facts
    files = {name: context.workspace.out / name for name in (FIT, JUDGE)}
    for file, part in zip(files.values(), ("fit", "judge"), strict=True):
        write_file(file, _text(file, path, facts[part], facts["of"], str(key.get("content"))))
    context.note(
        f"There is one set of samples: {len(facts['fit'])} of them were used to calibrate ({FIT}) and "
        f"{len(facts['judge'])} others to judge by ({JUDGE})."
    )
    data = dataclasses.replace(plan.data, data=str(files[JUDGE]), calibrate_with=str(files[FIT]))
    context.asked = context.asked or plan
    context.plan = dataclasses.replace(plan, data=data)
    return context.plan


def _text(file: Path, path: str, positions: Any, total: int, content: str) -> bytes:
    from tfmobile.datasets.subset import subset_text

    return subset_text(file, path, positions, total, content).encode()
