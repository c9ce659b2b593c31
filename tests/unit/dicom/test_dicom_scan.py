"""The fast walk may know less than pydicom, never something else."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from medclassify.dicom import parse as parse_module
from medclassify.dicom import read_header
from medclassify.dicom.scan import walk, walk_meta
from medclassify.errors import DicomError


def outcome(path: Path) -> object:
    try:
        return read_header(path)
    except DicomError as error:
        return type(error), str(error)


def test_both_ways_read_the_same_from_every_bundled_file(corpus, monkeypatch) -> None:
    fast = [outcome(path) for path in corpus]
    walked = sum(_walks(path) for path in corpus)
    monkeypatch.setattr(parse_module, "walk", lambda *_, **__: None)
    slow = [outcome(path) for path in corpus]
    deflated = [index for index, path in enumerate(corpus) if "dfl" in path.name]  # has no second way
    for index, path in enumerate(corpus):
        if index not in deflated:
            assert fast[index] == slow[index], path
    assert walked > 40


def _walks(path: Path) -> bool:
    data = path.read_bytes()
    meta = walk_meta(data)
    return meta is not None and walk(data, meta[1], explicit=meta[0] != uid.ImplicitVRLittleEndian) is not None


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [True, False])
def test_nested_sequences_are_stepped_over(build, syntax, undefined) -> None:
    inner, middle = Dataset(), Dataset()
    inner.CodeValue, inner.Rows = "X", 9  # a tag of the image, but not of the image
    middle.ConceptNameCodeSequence = [inner, inner]
    middle["ConceptNameCodeSequence"].is_undefined_length = undefined
    for item in (inner, middle):
        item.is_undefined_length_sequence_item = undefined
    path = build(np.zeros((3, 4), np.uint16), syntax=syntax, ProcedureCodeSequence=[middle, middle])
    header = read_header(path)
    assert (header.rows, header.columns) == (3, 4)
    assert _walks(path)


def test_elements_out_of_order_are_left_to_pydicom(build) -> None:
    path = build(np.zeros((3, 4), np.uint16))
    data = path.read_bytes()
    rows, columns = b"\x28\x00\x10\x00US\x02\x00\x03\x00", b"\x28\x00\x11\x00US\x02\x00\x04\x00"
    assert rows + columns in data
    path.write_bytes(data.replace(rows + columns, columns + rows))
    assert not _walks(path)
    assert (read_header(path).rows, read_header(path).columns) == (3, 4)


def test_a_header_longer_than_the_first_block_is_read_too(build) -> None:
    path = build(np.zeros((3, 4), np.uint16), ImageComments="x" * 9000, EncapsulatedDocument=b"y" * 70000)
    assert read_header(path).rows == 3
