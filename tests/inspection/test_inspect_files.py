"""``inspect`` of files: what no converter would take is shown too; batch norms are counted as the passes fold them."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

import tfmobile
from tests.inspection.graphs import Nodes
from tests.inspection.test_inspect_tflite import convolution
from tfmobile.cli import group
from tfmobile.errors import ModelError, OutputError, UsageError
from tfmobile.graph.graphdef import serialize
from tfmobile.inspection import GraphInspection, TFLiteInspection

FOREIGN = (
    "simplewhile_nested", "lstm_mnist", "conv_4", "g_07", "tensor_dot_misc", "pad__rank1Pone_const0",
    "alpha_dropout__rank3_p05_mask2", "fused_batch_norm__float32_nhcw", "partition_stitch_misc",
)  # fmt: skip
"""Loops, unrolled recurrence, contradicting and open shapes, dropout, channels first, ops without builtins."""
MODELS = {
    "mobilenet_v1_0.25_224/frozen.pb": (475_544, 41.0e6, 27),
    "mobilenet_v1_0.25_224/saved_model_v1": (475_544, 41.0e6, 27),
    "mlperf_tiny/kws_ref_model": (24_908, 2.66e6, 9),
    "mlperf_tiny/resnet8_cifar10.h5": (78_666, 12.5e6, 7),
    "kws_ds_cnn/DS_CNN_S.pb": (24_908, 2.66e6, 9),
}
"""Keras' own parameter counts; MACs of MobileNet V1 0.25 (41 M, arXiv:1704.04861) and MLPerf Tiny; batch norms."""


def written(folder: Path, nodes: Nodes, *outputs: str) -> Path:
    source = nodes.source(*outputs)
    assert source.graph is not None
    path = folder / "graph.pb"
    path.write_bytes(serialize(source.graph))
    return path


def inspected(path: Path, **options: str) -> GraphInspection:
    found = tfmobile.inspect(path, **options)
    assert isinstance(found, GraphInspection)
    return found


def small(folder: Path) -> Path:
    nodes = Nodes()
    nodes.norm("n", nodes.convolution("c", "x", 3, 3, 3, 16), 16)
    nodes.unary("y", "Relu", "n")
    nodes.constant("left_over", 5)
    return written(folder, nodes, "y")


def test_a_frozen_graph_is_counted_as_it_is_written_and_as_it_is_needed(tmp_path: Path) -> None:
    found = inspected(small(tmp_path))
    assert (found.nodes, found.written.nodes) == (9, 10)
    assert [end.node for end in found.written.outputs] == ["y"]
    assert (found.batch_norms.total, found.batch_norms.foldable) == (1, 1)
    assert any("guessed" in note for note in found.notes)


def test_an_op_that_tensorflow_does_not_have_is_shown(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 16)
    nodes.unary("odd", "NoSuchOp", "c")
    nodes.unary("y", "Relu", "odd")
    path = written(tmp_path, nodes, "y")
    found = inspected(path, draw=str(tmp_path / "graph.svg"))
    assert [group.op for group in found.not_convertible] == ["NoSuchOp"]
    assert any("does not convert as it is" in note for note in found.notes)
    assert "NoSuchOp" in (tmp_path / "graph.svg").read_text(encoding="utf-8")


def test_a_name_that_is_not_in_the_graph_is_an_error_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        tfmobile.inspect(small(tmp_path), output=["nowhere"])


@pytest.mark.parametrize("name", ["graph.svg", "graph.html"])
def test_a_drawing_is_written(tmp_path: Path, name: str) -> None:
    target = tmp_path / "new folder" / name
    inspected(small(tmp_path), draw=str(target))
    text = target.read_text(encoding="utf-8")
    assert "Conv2D 3×3" in text
    assert [path.name for path in target.parent.iterdir()] == [name]


def test_a_wrong_ending_is_told_before_the_model_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        tfmobile.inspect(tmp_path / "there is no model", draw="graph.jpg")


def test_a_drawing_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        tfmobile.inspect(small(tmp_path), draw=str(tmp_path / "file" / "graph.svg"))


def test_the_command_prints_one_document_or_says_where_it_drew(tmp_path: Path) -> None:
    model, drawing = str(small(tmp_path)), str(tmp_path / "graph.html")
    printed = CliRunner().invoke(group, ["inspect", model, "--json", "--structure", "--draw", drawing])
    assert json.loads(printed.stdout)["structure"][-1]["name"] == "y"
    assert f"Drawn: {drawing}" in CliRunner().invoke(group, ["inspect", model, "--draw", drawing]).stdout


def test_a_tflite_is_drawn_without_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(convolution())
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import tfmobile\n"
        "found = tfmobile.inspect(sys.argv[1], draw=sys.argv[2], structure=True)\n"
        "assert found.macs == 4608, found.macs"
    )
    target = tmp_path / "m.html"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.tflite"), str(target)], check=True)
    assert "CONV_2D 3×3" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_graphs_are_inspected_and_drawn(shared: Path, tmp_path: Path, name: str) -> None:
    found = inspected(shared / "foreign_graphs" / f"{name}.pb", draw=str(tmp_path / "graph.svg"))
    assert found.written.nodes >= found.nodes > 0
    ET.fromstring((tmp_path / "graph.svg").read_text(encoding="utf-8"))


def test_files_of_other_compilers_are_drawn(shared: Path, tmp_path: Path) -> None:
    for path in sorted((shared / "edgetpu").glob("*.tflite")):
        found = tfmobile.inspect(path, draw=str(tmp_path / "graph.svg"))
        assert isinstance(found, TFLiteInspection)
        ET.fromstring((tmp_path / "graph.svg").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_real_models_have_their_published_size_and_fold_as_the_passes_do(shared: Path, name: str) -> None:
    from tfmobile.loading import load
    from tfmobile.passes import rewrite

    parameters, macs, norms = MODELS[name]
    found = inspected(shared / "models" / name)
    assert found.parameters == parameters
    assert found.macs == pytest.approx(macs, rel=0.01)
    assert (found.batch_norms.total, found.batch_norms.foldable) == (norms, norms)
    graph = load(shared / "models" / name).graph
    assert graph is not None
    after = rewrite(graph, verify=False).graph
    assert not [node for node in after if "BatchNorm" in node.op]


@pytest.mark.slow
def test_batch_norms_of_foreign_graphs_are_counted_as_the_passes_fold_them(shared: Path) -> None:
    from tfmobile.loading import load
    from tfmobile.passes import rewrite

    for path in sorted((shared / "foreign_graphs").glob("*batch*norm*.pb")):
        found = inspected(path).batch_norms
        assert found.foldable is not None
        graph = load(path).graph
        assert graph is not None
        left = [node.name for node in rewrite(graph, verify=False).graph if "BatchNorm" in node.op]
        assert [reason.partition(":")[0] for reason in found.kept] == left, path.name
