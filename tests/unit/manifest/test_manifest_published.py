from collections.abc import Callable
from pathlib import Path

import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import read_labels

Write = Callable[[str, str], Path]


def test_a_split_column_is_put_into_our_words(write: Write) -> None:
    labels = read_labels(write("labels.csv", "path,split,mass\na,Train,1\nb,val,0\nc,TEST,0\nd,calib,1\ne,,1\n"))
    assert labels.rows["split"].tolist()[:4] == ["train", "tune", "test", "calibrate"]
    assert labels.rows["split"].isna().tolist() == [False] * 4 + [True]


def test_a_split_that_is_none_is_refused(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"row 3, column split: 'holdout' is not a split"):
        read_labels(write("labels.csv", "path,split,mass\na,train,1\nb,holdout,0\n"))


def test_lists_beside_the_labels_are_used_by_name_without_extension(write: Write) -> None:
    write("train_val_list.txt", "a.png\nb.png\n\n")
    write("test_list.txt", "c.png\r\nd.png")
    labels = read_labels(write("labels.csv", "image_id,mass\na,1\nb.dcm,0\nc.png,0\nx,1\n"))
    assert labels.rows["split"].tolist()[:3] == ["train", "train", "test"]
    assert labels.notes[-1] == "published split: train_val_list.txt 2, test_list.txt 1, in neither 1 rows."


def test_a_split_column_goes_before_the_lists(write: Write) -> None:
    write("train_val_list.txt", "a.png")
    write("test_list.txt", "b.png")
    assert read_labels(write("labels.csv", "path,split,mass\na.png,test,1\n")).rows["split"].tolist() == ["test"]


@pytest.mark.parametrize(
    ("files", "header", "reason"),
    [
        (("test_list.txt",), "path", "the other list is not there"),
        (("test_list.txt", "train_val_list.txt"), "sop_uid", "the label file names no image files"),
    ],
)
def test_lists_that_cannot_be_used_are_mentioned(write: Write, files: tuple[str, ...], header: str, reason: str) -> None:
    for name in files:
        write(name, f"{name}\n")
    labels = read_labels(write("labels.csv", f"{header},mass\na.png,1\n"))
    assert "split" not in labels.rows.columns
    assert labels.notes[-1].endswith(f"is not used: {reason}.")


def test_an_image_in_both_lists_is_refused(write: Write) -> None:
    write("train_val_list.txt", "a.png\nb.png")
    write("test_list.txt", "b.png")
    with pytest.raises(ManifestError, match=r"test_list\.txt: 1 images are in train_val_list\.txt as well \(first: b\)"):
        read_labels(write("labels.csv", "path,mass\na.png,1\n"))


def test_a_list_that_is_not_text_is_refused(write: Write, tmp_path: Path) -> None:
    write("train_val_list.txt", "a.png")
    (tmp_path / "test_list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"test_list\.txt: the published split cannot be read"):
        read_labels(write("labels.csv", "path,mass\na.png,1\n"))
