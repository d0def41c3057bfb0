"""Opening an untrusted file executes nothing from it: every hostile file here would leave a mark if it did."""

from __future__ import annotations

import contextlib
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.loading.tiny_models import image_model
from tfmobile.errors import ModelError, UnsupportedError, UntrustedModelError
from tfmobile.loading import identify, load
from tfmobile.loading.quiet import quiet


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that only code from a hostile model would create."""
    return tmp_path / "executed"


def marking(mark: Path) -> Callable[[Any], Any]:
    """A function on tensors that leaves the mark; it needs nothing but its own code, so that it can be marshalled."""
    text = f"lambda x: (open({str(mark)!r}, 'w').close(), x * 2.0)[1]"
    return eval(text)  # type: ignore[no-any-return]


def refused(path: Path, mark: Path, **options: Any) -> UntrustedModelError:
    """The refusal of the file, by both identify (which may accept it) and load."""
    with contextlib.suppress(ModelError):
        identify(path)
    with pytest.raises(UntrustedModelError) as caught:
        load(path, **options)
    assert not mark.exists()
    assert str(path) in str(caught.value)
    assert caught.value.fixes
    return caught.value


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_keras2_lambda_is_refused_and_runs_when_trusted(
    k2: Any, tmp_path: Path, mark: Path, name: str, answers: Callable[..., Any]
) -> None:
    path = tmp_path / name
    with quiet():
        k2.Sequential([k2.Input((2,)), k2.layers.Lambda(marking(mark))]).save(str(path))
    mark.unlink(missing_ok=True)
    error = refused(path, mark)
    assert "Lambda" in error.why
    assert any("--trust" in fix for fix in error.fixes)
    np.testing.assert_array_equal(answers(load(path, trust=True), [[1.0, 2.0]])[0], [[2.0, 4.0]])
    assert mark.exists()


def test_keras3_lambda_is_refused_and_runs_when_trusted(
    k3: Any, tmp_path: Path, mark: Path, answers: Callable[..., Any]
) -> None:
    path = tmp_path / "model.keras"
    with quiet():
        k3.Sequential([k3.Input((2,)), k3.layers.Lambda(marking(mark), output_shape=(2,))]).save(str(path))
    mark.unlink(missing_ok=True)
    refused(path, mark)
    np.testing.assert_array_equal(answers(load(path, trust=True), [[1.0, 2.0]])[0], [[2.0, 4.0]])
    assert mark.exists()


def test_lambda_in_a_nested_model_is_found(k2: Any, tmp_path: Path, mark: Path) -> None:
    inner = k2.Sequential([k2.Input((3, 2)), k2.layers.TimeDistributed(k2.layers.Lambda(marking(mark)))])
    x = k2.Input((3, 2))
    with quiet():
        k2.Model(x, inner(x)).save(str(tmp_path / "nested.h5"))
    mark.unlink(missing_ok=True)
    refused(tmp_path / "nested.h5", mark)


def with_config(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The ``.keras`` file with its configuration changed."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config)
    content["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def gadgets(mark: Path) -> dict[str, Any]:
    """Objects that Keras would have to call or import from outside itself."""
    command = f"touch {mark}"
    return {
        "os.system": {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"},
        "subprocess": {"module": "subprocess", "class_name": "Popen", "config": {"args": command, "shell": True}},
        "exec": {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"},
        "lambda": {"class_name": "__lambda__", "config": {"value": "4wEA", "defaults": None, "closure": None}},
        "get_file": {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "file:///etc/passwd"}},
        "unsafe": {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
        "load_model": {"module": "keras.models", "class_name": "load_model", "config": {"filepath": "x.keras"}},
        "saving": {"module": "keras.src.saving.saving_lib", "class_name": "Thing", "config": {}},
        "looks like keras": {"module": "keras_evil.layers", "class_name": "Dense", "config": {"units": 1}},
        "registered": {"module": None, "class_name": "Mine", "config": {}, "registered_name": "Custom>Mine"},
        "vocabulary": {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        "saved model": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp/x"}},
        "torch": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gASV"}},
        "no class": {"module": "os", "registered_name": "system", "config": {}},
        "list": {"module": ["os"], "class_name": "system", "config": {}},
        "write_file": {"class_name": "TFOpLambda", "config": {"name": "a", "function": "io.write_file"}},
        "library": {"class_name": "TFOpLambda", "config": {"name": "a", "function": "load_op_library"}},
        "py_function": {"class_name": "TFOpLambda", "config": {"name": "a", "function": "compat.v1.py_func"}},
        "raw op": {"class_name": "TensorFlowOpLayer", "config": {"node_def": '{"name": "a", "op": "WriteFile"}'}},
    }


@pytest.mark.parametrize("version", ["keras2_archive", "keras3_archive"])
@pytest.mark.parametrize("gadget", sorted(gadgets(Path("x"))))
@pytest.mark.parametrize("where", ["layer", "activation"])
def test_configuration_that_reaches_outside_keras_is_refused(
    version: str, gadget: str, where: str, mark: Path, request: pytest.FixtureRequest
) -> None:
    bad = gadgets(mark)[gadget]

    def change(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        if where == "layer":
            layers.insert(1, {**bad, "name": "bad", "inbound_nodes": []})
        else:
            layers[-1]["config"]["activation"] = bad

    refused(with_config(request.getfixturevalue(version), change), mark)


def test_lambda_hidden_in_the_attributes_of_an_h5_is_found(keras2_h5: Path, mark: Path) -> None:
    with h5py.File(keras2_h5, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1] = {"class_name": "Lambda", "config": {"function": ["4wEA", None, None]}}
        file.attrs["model_config"] = json.dumps(config)
    refused(keras2_h5, mark)


def test_custom_loss_does_not_matter_because_nothing_is_compiled(
    keras3_archive: Path, answers: Callable[..., Any]
) -> None:
    loss = {"module": "mine", "class_name": "function", "config": "loss", "registered_name": "loss"}
    path = with_config(keras3_archive, lambda config: config.update(compile_config={"loss": loss}))
    assert load(path).graph is not None


def test_trusted_custom_layer_that_cannot_be_found_says_to_export(keras3_archive: Path, keras2_h5: Path) -> None:
    custom = {"module": "mine.layers", "class_name": "Mine", "config": {}, "registered_name": "Custom>Mine"}
    path = with_config(
        keras3_archive, lambda config: config["config"]["layers"][-1]["config"].update(kernel_regularizer=custom)
    )
    with pytest.raises(ModelError, match="not in the file") as caught:
        load(path, trust=True)
    assert "export" in caught.value.fixes[0]
    assert not isinstance(caught.value, UntrustedModelError)
    with h5py.File(keras2_h5, "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace("DepthwiseConv2D", "MyConv")
    with pytest.raises(ModelError, match="not in the file"):
        load(keras2_h5)


def test_custom_layer_of_a_real_model_is_refused_by_name(k3: Any, tmp_path: Path, mark: Path) -> None:
    @k3.saving.register_keras_serializable(package="shop")
    class Twice(k3.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x * 2

    path = tmp_path / "custom.keras"
    with quiet():
        k3.Sequential([k3.Input((2,)), Twice()]).save(str(path))
    assert "Twice" in refused(path, mark).why


class Marker:
    """Unpickling it leaves the mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return open, (str(self.mark), "w")


def test_pickles_are_never_opened(tmp_path: Path, mark: Path) -> None:
    plain = tmp_path / "model.pkl"
    plain.write_bytes(pickle.dumps(Marker(mark)))
    torch = tmp_path / "model.pt"
    with zipfile.ZipFile(torch, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Marker(mark)))
    for path in (plain, torch):
        for format in (None, "keras3", "frozen-graph"):
            with pytest.raises(ModelError):
                load(path, format=format)
    assert not mark.exists()


def graph_with(tf: Any, path: Path, build: Callable[[Any], Any]) -> Path:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, 2], name="x")
        tf.identity(build(x), name="y")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_python_in_a_graph_is_refused_and_impossible_even_if_trusted(tf: Any, tmp_path: Path, mark: Path) -> None:
    path = graph_with(tf, tmp_path / "py.pb", lambda x: tf.compat.v1.py_func(marking(mark), [x], tf.float32))
    assert "PyFunc" in refused(path, mark, input_shape=()).why
    with pytest.raises(UnsupportedError, match="calls a Python function"):
        load(path, trust=True)


def test_graph_that_touches_files_is_refused(tf: Any, tmp_path: Path, mark: Path) -> None:
    def build(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(str(mark), "x")]):
            content = tf.io.decode_raw(tf.io.read_file("/etc/passwd"), tf.uint8)
        return x + tf.cast(content[0], tf.float32)

    path = graph_with(tf, tmp_path / "files.pb", build)
    assert "ReadFile (opens files)" in refused(path, mark).why
    assert load(path, trust=True).graph is not None
    assert not mark.exists()


def test_files_behind_a_cut_do_not_matter(tf: Any, tmp_path: Path, mark: Path) -> None:
    def build(x: Any) -> Any:
        content = tf.io.decode_raw(tf.io.read_file("/etc/passwd"), tf.uint8)
        return tf.nn.relu(tf.cast(content[0], tf.float32) + x, name="features")

    path = graph_with(tf, tmp_path / "cut.pb", build)
    assert load(path, input=["features"], input_shape=["1x2"]).graph is not None


def test_initializers_of_a_saved_model_do_not_run(
    tf: Any, tmp_path: Path, mark: Path, answers: Callable[..., Any]
) -> None:
    v1 = tf.compat.v1
    folder = tmp_path / "init"
    builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 2], name="x")
        w = v1.get_variable("w", initializer=tf.constant([1.0, 2.0]), use_resource=True)
        y = x * w
        session.run(v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": v1.saved_model.signature_def_utils.predict_signature_def({"x": x}, {"y": y})},
            main_op=tf.io.write_file(str(mark), "x"),
        )
        builder.save()
    np.testing.assert_array_equal(answers(load(folder), [[3.0, 4.0]])[0], [[3.0, 8.0]])
    assert not mark.exists()


def test_restore_functions_of_a_saved_model_do_not_run(
    tf: Any, tmp_path: Path, mark: Path, answers: Callable[..., Any]
) -> None:
    class Hostile(tf.Module):  # type: ignore[misc, name-defined]
        @tf.function(input_signature=[])  # type: ignore[untyped-decorator]
        def _initialize(self) -> Any:
            tf.io.write_file(str(mark), "x")
            return 1.0

        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)])  # type: ignore[untyped-decorator]
        def call(self, x: Any) -> Any:
            return x + 1.0

    module = Hostile()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.call)
    mark.unlink(missing_ok=True)
    assert answers(load(tmp_path / "m"), [1.0])[0] == 2.0
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/outside", "a/../../b", "C:\\outside"])
def test_archive_with_a_path_out_of_it_is_refused(keras3_archive: Path, mark: Path, name: str) -> None:
    with zipfile.ZipFile(keras3_archive, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    assert "leads out of it" in refused(keras3_archive, mark).why


def test_archive_with_a_link_is_refused(keras3_archive: Path, mark: Path) -> None:
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(keras3_archive, "a") as archive:
        archive.writestr(link, "/etc")
    refused(keras3_archive, mark)


def test_zip_bomb_is_refused(keras3_archive: Path, mark: Path) -> None:
    with zipfile.ZipFile(keras3_archive, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(100 << 20))
    assert "zip bomb" in refused(keras3_archive, mark).why


def test_h5_that_links_to_another_file_is_refused(keras2_h5: Path, tmp_path: Path, mark: Path) -> None:
    with h5py.File(keras2_h5, "r+") as file:
        file["model_weights"]["secret"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
    assert "link into another file" in refused(keras2_h5, mark).why


def test_h5_with_data_in_another_file_is_refused(keras2_h5: Path, mark: Path) -> None:
    with h5py.File(keras2_h5, "r+") as file:
        file.create_dataset("secret", (4,), "uint8", external=[("/etc/passwd", 0, 4)])
    assert "lies in another file" in refused(keras2_h5, mark).why


def test_h5_that_claims_terabytes_is_refused(keras2_h5: Path, mark: Path) -> None:
    with h5py.File(keras2_h5, "r+") as file:
        file.create_dataset("huge", (1 << 40,), "float32", chunks=(1 << 20,))
    assert "claim to hold" in refused(keras2_h5, mark).why


def test_plain_models_with_every_kind_of_part_are_not_refused(k2: Any, k3: Any, tmp_path: Path) -> None:
    for number, keras in enumerate((k2, k3)):
        layers = keras.layers
        x = inputs = keras.Input((8, 8, 3))
        x = layers.Rescaling(1 / 255)(x)
        x = layers.RandomFlip("horizontal", seed=1)(x)
        x = layers.Normalization(mean=[0.0, 0.0, 0.0], variance=[1.0, 1.0, 1.0])(x)
        x = layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(1e-4), activation=keras.activations.relu)(x)
        x = layers.Conv2D(4, 1, activation="swish", kernel_constraint=keras.constraints.MaxNorm(3))(x)
        x = layers.Reshape((36, 4))(x)
        x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
        x = layers.TimeDistributed(layers.Dense(2, activation=keras.activations.gelu))(x)
        x = layers.MultiHeadAttention(1, 2)(x, x)
        x = layers.LayerNormalization(dtype="float32")(layers.Activation(keras.activations.softplus)(x))
        model = keras.Model(inputs, layers.Flatten()(image_model(keras, shape=(6, 6, 2))(layers.Reshape((6, 6, 2))(x))))
        model.compile("adam", "mse")
        for ending in ("keras", "h5"):
            path = tmp_path / f"plain{number}.{ending}"
            with quiet():
                model.save(str(path))
            assert load(path).graph is not None
