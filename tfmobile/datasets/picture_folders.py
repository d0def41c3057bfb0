"""Folders of pictures: one folder a class, a labels.csv, or no labels at all."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets.labels import number_classes, read_class_names
from tfmobile.datasets.pictures import pictures_in, read_picture
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError

Label = int | float | None


@dataclass(frozen=True)
class PictureFiles:
    """A Source: picture files and their labels, decoded when read."""

    folder: Path
    files: Sequence[Path]
    labels: Sequence[Label]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    concurrent: bool = True

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> Sample:
        """The decoded picture, uint8 [H, W, 3]."""
        path, label = self.files[index], self.labels[index]
        name = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path
        target = np.asarray(label) if isinstance(label, float) else label
        return Sample(name=str(name), values=(read_picture(path),), label=target)


def class_folders_of(folder: Path) -> list[Path]:
    """The sub-folders that can be classes, sorted by name; hidden ones and ``images`` alone are none."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [] if [path.name for path in found] == ["images"] else found


def open_class_folders(spec: DataSpec) -> PictureFiles:
    """One sub-folder a class. Class numbers: the labels file's if given; else the folder names if all are numbers; else
    the alphabetical order, as Keras numbers them."""
    folder = Path(spec.path)
    groups = {path.name: pictures_in(path) for path in class_folders_of(folder)}
    empty = [name for name, files in groups.items() if not files]
    if len(empty) == len(groups):
        raise no_pictures(spec.path)
    numbers, names, notes = _numbering(sorted(groups), spec)
    loose = pictures_in(folder)
    if loose:
        notes += (f"{len(loose)} pictures that lie outside the class folders were left out, first '{loose[0].name}'.",)
    if empty:
        notes += (f"{len(empty)} class folders hold no picture: {', '.join(empty[:5])}.",)
    files = [path for group in groups.values() for path in group]
    labels = [numbers[path.parent.name] for path in files]
    return PictureFiles(folder, files, labels, names, notes)


def _numbering(found: list[str], spec: DataSpec) -> tuple[dict[str, int], tuple[str, ...], tuple[str, ...]]:
    names = read_class_names(spec.labels)
    if names and len(names) == len(found) and not set(found) <= set(names):
        note = "The labels file names the class folders in alphabetical order, one line a folder."
        return {name: index for index, name in enumerate(found)}, names, (note,)
    if all(name.isascii() and name.isdigit() for name in found) and not set(found) <= set(names):
        same = [int(name) for name in found] == list(range(len(found)))
        note = "The class folders are named by numbers: the number is the label."
        return {name: int(name) for name in found}, names or _spread(found), () if same else (note,)
    names = number_classes(found, names, f"'{spec.path}'")
    return {name: names.index(name) for name in found}, names, ()


def _spread(found: list[str]) -> tuple[str, ...]:
    highest = max(int(name) for name in found)
    return tuple(str(number) for number in range(highest + 1)) if highest < 100_000 else ()


def open_pictures(spec: DataSpec) -> PictureFiles:
    """Pictures without labels, in the folder itself or in its ``images`` folder."""
    folder = Path(spec.path)
    inner = folder / "images"
    files = pictures_in(folder) or (pictures_in(inner) if inner.is_dir() else [])
    if not files:
        raise no_pictures(spec.path)
    return PictureFiles(folder, files, [None] * len(files), read_class_names(spec.labels))


def no_pictures(path: str) -> DataError:
    """The error for a folder without a picture; it names a sub-folder that would do."""
    parts = [part for part in class_folders_of(Path(path)) if any(map(pictures_in, class_folders_of(part)))]
    if parts:
        return DataError(
            f"The class folders of '{path}' lie one level deeper.",
            why=f"Its folders {', '.join(part.name for part in parts[:3])} hold folders with pictures.",
            fixes=[f"Choose one of its parts: --data {parts[-1]}"],
        )
    return DataError(
        f"The folder '{path}' holds no pictures.",
        why="Looked for labels.csv, class folders with pictures, images/, and pictures in the folder itself.",
        fixes=[
            "Give a folder with one sub-folder of pictures a class.",
            "Add a labels.csv with the header file,label.",
        ],
    )


def open_labels_csv(spec: DataSpec) -> PictureFiles:
    """A folder with ``labels.csv``, or the path of such a file: columns ``file`` (relative to it) and ``label``.

    Labels that are all whole numbers are class numbers, all numbers are regression targets, others are class names.
    Raises DataError naming the line of a bad row.
    """
    path = Path(spec.path)
    path = path / "labels.csv" if path.is_dir() else path
    rows = _read_rows(path)
    files = [path.parent / file for _, file, _ in rows]
    missing = [(line, file) for (line, file, _), full in zip(rows, files, strict=True) if not full.is_file()]
    if missing:
        line, file = missing[0]
        raise DataError(
            f"'{path}' line {line} names the file '{file}', which does not exist.",
            why=f"{len(missing)} of {len(rows)} files are missing; names are relative to '{path.parent}'.",
            fixes=["Correct the file column.", f"Put the pictures below '{path.parent}'."],
        )
    labels, names = _labels(rows, read_class_names(spec.labels), f"'{path}'")
    return PictureFiles(path.parent, files, labels, names)


def _read_rows(path: Path) -> list[tuple[int, str, str]]:
    """(line number, file, label) of every row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [cell.strip().lower() for cell in next(reader, [])]
            if "file" not in header or "label" not in header:
                raise _no_header(path, header)
            columns = header.index("file"), header.index("label")
            rows = [_row(path, reader.line_num, cells, columns) for cells in reader if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DataError(
            f"'{path}' cannot be read.", why=str(cause), fixes=["Save it as UTF-8 text with the header file,label."]
        ) from cause
    if not rows:
        raise DataError(f"'{path}' has no rows.", fixes=["Add one line a picture: its file name, a comma, its label."])
    return rows


def _row(path: Path, line: int, cells: list[str], columns: tuple[int, int]) -> tuple[int, str, str]:
    file, label = ((cells[column].strip() if column < len(cells) else "") for column in columns)
    if not file or not label:
        raise DataError(
            f"'{path}' line {line} has no {'label' if file else 'file'}: {','.join(cells)!r}.",
            fixes=["Write a file name, a comma and a label on every line."],
        )
    return line, file, label


def _no_header(path: Path, header: list[str]) -> DataError:
    return DataError(
        f"'{path}' has no header with the columns file and label.",
        why=f"Its first line is: {','.join(header)!r}.",
        fixes=["Make 'file,label' the first line."],
    )


def _labels(
    rows: list[tuple[int, str, str]], names: tuple[str, ...], where: str
) -> tuple[Sequence[Label], tuple[str, ...]]:
    texts = [text for _, _, text in rows]
    if set(texts) <= set(names):
        return [names.index(text) for text in texts], names
    numbers = [_number(text) for text in texts]
    odd = [row for row, number in zip(rows, numbers, strict=True) if number is None]
    if not odd:
        whole = all(isinstance(number, int) for number in numbers)
        return numbers if whole else [float(number or 0) for number in numbers], names
    if len(odd) < len(rows):
        line, _, text = odd[0]
        raise DataError(
            f"{where} line {line} has the label {text!r}, while other lines have numbers.",
            why=f"{len(odd)} of {len(rows)} labels are not numbers.",
            fixes=["Correct that line.", "Give --labels FILE if numbers are names of classes too."],
        )
    names = number_classes(texts, names, where)
    place = {name: index for index, name in enumerate(names)}
    return [place[text] for text in texts], names


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
