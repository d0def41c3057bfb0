from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from tests.runtime import tiny
from tfmobile import runtime
from tfmobile.conversion import write_metadata
from tfmobile.datasets.spec import Preprocessing
from tfmobile.errors import ModelError
from tfmobile.runtime import flatbuffer, metadata

PHOTOS = Preprocessing(resize=(8, 6), central_crop=0.875, mean=(127.5,), std=(127.5,), color="rgb")


def picture(channels: int = 3) -> bytes:
    """y = relu(x) on [1, 8, 6, channels], reduced to 10 values by a constant second output."""
    build = tiny.Builder()
    x, y = build.tensor("x", [1, 8, 6, channels]), build.tensor("y", [1, 8, 6, channels])
    z = build.tensor("z", [1, 10], value=np.zeros((1, 10)))
    build.operator("RELU", [x], [y])
    return flatbuffer.write(build.model([x], [y, z]))


def written(content: bytes, **options: object) -> tuple[bytes, dict[str, object], dict[str, object]]:
    """The file, and the metadata of its first input and of its last output."""
    made = write_metadata(content, **options)  # type: ignore[arg-type]
    subgraph = runtime.read_metadata(made)["subgraph_metadata"][0]
    return made, subgraph["input_tensor_metadata"][0], subgraph["output_tensor_metadata"][-1]


def test_a_picture_input_says_how_its_pixels_are_prepared() -> None:
    _, first, _ = written(picture(), preprocessing=PHOTOS)
    assert first["content"] == {
        "content_properties": {
            "type": "ImageProperties",
            "color_space": 1,
            "default_size": {"width": 6, "height": 8},
        }
    }
    assert first["process_units"] == [{"options": {"type": "NormalizationOptions", "mean": [127.5], "std": [127.5]}}]
    assert first["stats"] == {"max": [1.0], "min": [-1.0]}
    assert "central crop 0.875" in str(first["description"])


def test_raw_pixels_are_written_as_mean_0_std_1() -> None:
    _, first, _ = written(picture(), preprocessing=Preprocessing(color="rgb"))
    assert first["process_units"] == [{"options": {"type": "NormalizationOptions", "mean": [0.0], "std": [1.0]}}]


def test_one_channel_is_a_picture_only_when_the_data_are() -> None:
    _, features, _ = written(picture(1), preprocessing=Preprocessing())
    assert features["content"] == {"content_properties": {"type": "FeatureProperties"}}
    _, gray, _ = written(picture(1), preprocessing=Preprocessing(color="gray"))
    assert gray["content"]["content_properties"]["color_space"] == 2  # type: ignore[index]


def test_bgr_which_the_schema_lacks_is_said_in_words() -> None:
    _, first, _ = written(picture(), preprocessing=Preprocessing(color="bgr"))
    assert "bgr" in str(first["description"])
    assert "color_space" not in first["content"]["content_properties"]  # type: ignore[index]


def test_means_by_channel_give_ranges_by_channel() -> None:
    _, first, _ = written(picture(), preprocessing=Preprocessing(mean=(0.0, 255.0, 127.5), std=(255.0,)))
    assert first["stats"] == {"max": [1.0, 0.0, 0.5], "min": [0.0, -1.0, -0.5]}


def test_labels_are_tied_to_the_output_they_fill() -> None:
    labels = [f"class {index}" for index in range(10)]
    made, _, last = written(picture(), labels=labels)
    assert last["associated_files"][0]["name"] == "labels.txt"  # type: ignore[index]
    assert runtime.associated_files(made)["labels.txt"].decode().splitlines() == labels


def test_labels_that_fit_no_output_stay_with_the_model() -> None:
    made, _, last = written(picture(), labels=["only", "two"])
    assert "associated_files" not in last
    assert runtime.read_metadata(made)["associated_files"][0]["name"] == "labels.txt"
    assert runtime.associated_files(made)["labels.txt"] == b"only\ntwo\n"


def test_name_description_and_version_come_back() -> None:
    made = write_metadata(picture(), name="Zebra é", description="finds zebras", version="7")
    found = runtime.read_metadata(made)
    assert (found["name"], found["description"], found["version"]) == ("Zebra é", "finds zebras", "7")
    assert found["min_parser_version"] == "1.0.0"
    assert flatbuffer.metadata(flatbuffer.read(made))["TFLITE_METADATA"][4:8] == b"M001"


def test_the_result_runs_and_answers_the_same() -> None:
    made = write_metadata(picture(), preprocessing=PHOTOS, labels=["a", "b"])
    x = np.random.default_rng(0).normal(size=(1, 8, 6, 3)).astype(np.float32)
    assert runtime.load_test(made).invocations == 2
    assert runtime.run(made, [{"x": x}])[0]["y"].tolist() == np.maximum(x, 0).tolist()


def test_writing_twice_gives_the_same_bytes_and_one_entry() -> None:
    once = write_metadata(picture(), preprocessing=PHOTOS, labels=["a"])
    assert write_metadata(picture(), preprocessing=PHOTOS, labels=["a"]) == once
    assert write_metadata(once, preprocessing=PHOTOS, labels=["a"]) == once
    assert len(flatbuffer.read(once).metadata) == 1


def test_any_zip_program_reads_the_attached_files() -> None:
    made = write_metadata(picture(), labels=["a", "b"])
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt"]
        assert archive.getinfo("labels.txt").date_time == (1980, 1, 1, 0, 0, 0)


def test_metadata_count_as_metadata_in_the_size() -> None:
    before, after = picture(), write_metadata(picture(), labels=["a" * 500])
    grown = runtime.describe(after).size.metadata_bytes - runtime.describe(before).size.metadata_bytes
    assert grown > 500


def test_a_model_without_metadata_reads_as_none() -> None:
    assert runtime.read_metadata(picture()) == {}
    assert runtime.associated_files(picture()) == {}


def test_damaged_metadata_are_a_model_error() -> None:
    model = flatbuffer.read(picture())
    flatbuffer.set_metadata(model, metadata.ENTRY, b"\xff" * 40)
    with pytest.raises(ModelError, match="metadata"):
        runtime.read_metadata(flatbuffer.write(model))
