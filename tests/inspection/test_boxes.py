"""What shares a box in a drawing, and how boxes become fewer."""

from __future__ import annotations

import numpy as np

from tests.inspection.graphs import Nodes
from tests.inspection.test_inspect_tflite import convolution
from tests.runtime.tiny import dense_half
from tfmobile.graph.model import DType, ShapeAttr
from tfmobile.inspection import inspect_graph, inspect_tflite
from tfmobile.inspection.drawing.boxes import Box, boxes
from tfmobile.inspection.drawing.graph_operations import graph_operations
from tfmobile.inspection.drawing.operation import Operation, shape_words, window_text
from tfmobile.inspection.drawing.scopes import fewer
from tfmobile.inspection.drawing.tflite_operations import tflite_operations


def drawn(nodes: Nodes, *outputs: str) -> dict[str, Box]:
    source = nodes.source(*outputs)
    assert source.graph is not None
    return {box.key: box for box in boxes(graph_operations(source.graph, inspect_graph(source)).items)}


def test_a_layer_is_one_box_with_its_batch_norm_and_activation() -> None:
    nodes = Nodes()
    nodes.norm("n", nodes.unary("copy", "Identity", nodes.convolution("c", "x", 3, 3, 3, 16)), 16)
    nodes.unary("y", "Relu6", "n")
    found = drawn(nodes, "y")
    assert list(found) == ["x", "c", "output:y"]
    box = found["c"]
    assert (box.title, box.steps, box.colour) == ("Conv2D 3×3", "BatchNorm · Relu6", "convolution")
    assert [one.name for one in box.operations] == ["c", "n", "y"]
    assert box.parameters == 432 + 4 * 16
    assert box.last.shape == (1, 8, 8, 16)
    assert found["output:y"].inputs == ("c",)


def test_quantizers_of_training_stay_in_the_box() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 4)
    nodes.add("first", "FakeQuantWithMinMaxArgs", ["c"], min=-6.0, max=6.0)
    nodes.unary("r", "Relu", "first")
    nodes.add("y", "FakeQuantWithMinMaxArgs", ["r"], min=0.0, max=6.0)
    found = drawn(nodes, "y")
    assert list(found) == ["x", "c", "output:y"]
    assert found["c"].steps == "FakeQuant · Relu · FakeQuant"


def test_padding_before_a_layer_is_told() -> None:
    nodes = Nodes()
    nodes.add("sizes", "Const", dtype=DType("int32"), value=np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    nodes.add("p", "Pad", ["x", "sizes"], T=DType("float32"), Tpaddings=DType("int32"))
    nodes.convolution("y", "p", 3, 3, 3, 16)
    box = drawn(nodes, "y")["p"]
    assert (box.title, box.steps) == ("Conv2D 3×3", "after Pad")


def test_an_output_that_two_read_ends_the_box() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 3)
    nodes.binary("y", "AddV2", nodes.unary("r", "Relu", "c"), "c")
    found = drawn(nodes, "y")
    assert list(found) == ["x", "c", "r", "y", "output:y"]
    assert found["y"].inputs == ("r", "c")
    assert found["y"].colour == "join"


def test_a_swish_belongs_to_its_layer() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 4)
    nodes.binary("y", "Mul", "c", nodes.unary("s", "Sigmoid", "c"))
    found = drawn(nodes, "y")
    assert list(found) == ["x", "c", "output:y"]
    assert found["c"].steps == "Swish"


def test_a_squeeze_and_excitation_is_a_branch() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 4)
    nodes.convolution("squeeze", "c", 1, 1, 4, 2)
    nodes.convolution("excite", "squeeze", 1, 1, 2, 4)
    nodes.binary("y", "Mul", "c", nodes.unary("s", "Sigmoid", "excite"))
    assert list(drawn(nodes, "y")) == ["x", "c", "squeeze", "excite", "y", "output:y"]


def test_what_only_computes_a_shape_is_not_drawn() -> None:
    nodes = Nodes((1, 4))
    nodes.add("s", "Shape", ["x"], T=DType("float32"), out_type=DType("int32"))
    nodes.add("y", "Reshape", ["x", "s"], T=DType("float32"), Tshape=DType("int32"))
    found = drawn(nodes, "y")
    assert list(found) == ["x", "y", "output:y"]
    assert found["y"].inputs == ("x",)


def test_what_does_not_convert_warns() -> None:
    nodes = Nodes((4, 4))
    nodes.unary("y", "Cholesky", "x")
    assert "no TFLite builtin" in drawn(nodes, "y")["y"].warning


def test_an_output_that_is_a_constant_is_drawn() -> None:
    nodes = Nodes()
    nodes.constant("fixed", 3)
    nodes.unary("y", "Relu", "x")
    assert drawn(nodes, "y", "fixed")["output:fixed"].inputs == ("fixed",)


def test_a_placeholder_that_is_no_input_is_drawn_as_what_it_is() -> None:
    nodes = Nodes()
    nodes.add("free", "Placeholder", dtype=DType("float32"), shape=ShapeAttr((1, 8, 8, 3)))
    nodes.binary("y", "AddV2", "x", "free")
    assert drawn(nodes, "y")["free"].title == "Placeholder"


def test_operators_of_a_tflite_carry_window_activation_and_quantization() -> None:
    content = convolution()
    x, y, out = boxes(tflite_operations(content, inspect_tflite(content, "c.tflite")).items)
    assert (y.title, y.last.dtype, y.last.quantization) == ("CONV_2D 3×3", "int8", "0.5 · q")
    assert (y.inputs, out.inputs) == ((x.key,), (y.key,))
    assert ("padding", "SAME") in y.last.facts


def test_what_restores_stored_weights_is_not_drawn() -> None:
    content = dense_half()
    found = tflite_operations(content, inspect_tflite(content, "h.tflite"))
    assert [one.op for one in found.items] == ["Input", "FULLY_CONNECTED", "Output"]
    assert found.hidden


def test_windows_and_shapes_in_words() -> None:
    assert window_text((3, 3), (2, 2), (1, 1)) == "3×3 /2"
    assert window_text((3, 3), (1, 1), (2, 2)) == "3×3 dilated 2"
    assert window_text((1, 5), (1, 2)) == "1×5 /1×2"
    assert shape_words((1, 7, 7, 64)) == "7×7×64"
    assert shape_words((4, None)) == "4×?"
    assert shape_words(()) == "one number"


def line_of(names: list[str]) -> list[Box]:
    """Boxes, one after the other."""
    operations = [
        Operation(name, name, "Softmax", (names[number - 1],) if number else ()) for number, name in enumerate(names)
    ]
    return boxes(operations)


def test_few_boxes_stay_as_they_are() -> None:
    given = line_of(["a", "b", "c"])
    assert fewer(given, 3) == (given, [])


def test_too_many_boxes_are_put_together_by_scope() -> None:
    names = [f"net/stage{stage}/block{block}/op{op}" for stage in range(4) for block in range(5) for op in range(3)]
    # Two ways through each block, so that no chain is long.
    operations = [Operation(name, name, "Softmax", tuple(names[max(at - 2, 0) : at])) for at, name in enumerate(names)]
    found, notes = fewer(boxes(operations), 20)
    assert [box.name for box in found] == [f"net/stage{stage}/block{block}" for stage in range(4) for block in range(5)]
    assert (found[0].title, found[0].steps, found[0].colour) == ("block0", "Softmax ×3", "scope")
    assert found[1].inputs == (found[0].key,)
    assert "60 boxes" in notes[0]


def test_numbered_names_are_scopes_too() -> None:
    names = [f"block_{block}_{part}" for block in range(6) for part in ("expand", "project")]
    operations = [Operation(name, name, "Softmax", tuple(names[max(at - 2, 0) : at])) for at, name in enumerate(names)]
    found, _ = fewer(boxes(operations), 6)
    assert [box.title for box in found] == [f"block_{block}" for block in range(6)]


def test_chains_are_put_together_where_names_say_nothing() -> None:
    found, notes = fewer(line_of([f"n{number}" for number in range(50)]), 10)
    assert len(found) == 1
    assert len(found[0].operations) == 50
    assert "chains" in notes[0]


def test_at_last_only_the_first_boxes_are_drawn() -> None:
    names = [f"n{number}" for number in range(60)]
    operations = [Operation(name, name, "Softmax", tuple(names[max(at - 2, 0) : at])) for at, name in enumerate(names)]
    found, notes = fewer(boxes(operations), 10)
    assert len(found) == 10
    assert "only the first 10" in notes[0]
    assert all(key in {box.key for box in found} for box in found for key in box.inputs)
