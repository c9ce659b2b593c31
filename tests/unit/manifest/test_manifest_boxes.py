from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.dicom import find_images, read_header
from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, PatientHasher, build_manifest, join_boxes, read_boxes, read_labels, write_boxes
from medclassify.manifest.boxes import BOX_COLUMNS, boxes_beside
from medclassify.manifest.labels import PublishedBoxes
from medclassify.records import InstanceHeader

HeaderOf = Callable[..., InstanceHeader]
ManifestOf = Callable[..., Manifest]
Write = Callable[[str, str], Path]


def boxes_of(*rows: tuple[str, str, float, float, float, float], size: tuple[int, int] | None = None) -> PublishedBoxes:
    frame = pd.DataFrame(rows, columns=["image_id", "finding", "left", "top", "width", "height"])
    return PublishedBoxes(Path("boxes.csv"), frame, size)


@pytest.fixture
def samples(manifest_of: ManifestOf, header: HeaderOf) -> tuple[Manifest, list[InstanceHeader]]:
    """Two images of 512 rows and 256 columns; the second has not the finding."""
    rows = [{"path": f"/data/{name}.dcm", "patient_id": name, "effusion": label} for name, label in (("a", 1), ("b", 0))]
    return manifest_of(rows), [header(row["path"], rows=512, columns=256) for row in rows]


def test_boxes_are_scaled_to_the_rows_and_columns_of_the_file(samples: tuple[Manifest, list[InstanceHeader]]) -> None:
    boxes, notes = join_boxes(samples[0], boxes_of(("a.png", "effusion", 100, 200, 400, 100), size=(1024, 1024)), samples[1])
    assert tuple(boxes.columns) == BOX_COLUMNS
    assert boxes.iloc[0].tolist() == ["s000000", "effusion", 25.0, 100.0, 100.0, 50.0]
    assert notes == ["boxes.csv: 1 boxes on 1 images; the file holds 1."]
    table = pd.DataFrame({"path": ["/data/./a.dcm", "/data/b.dcm"], "rows": 512, "columns": 256})
    again, _ = join_boxes(samples[0], boxes_of(("a.png", "effusion", 100, 200, 400, 100), size=(1024, 1024)), table)
    pd.testing.assert_frame_equal(again, boxes)


def test_boxes_in_the_image_s_own_pixels_stay_and_are_cut_at_its_edge(samples: tuple[Manifest, list[InstanceHeader]]) -> None:
    boxes, _ = join_boxes(samples[0], boxes_of(("a", "effusion", -10, 500, 300, 30)), samples[1])
    assert boxes.iloc[0, 2:].tolist() == [0, 500, 256, 12]


def test_what_is_left_out_is_counted(samples: tuple[Manifest, list[InstanceHeader]]) -> None:
    published = boxes_of(
        ("a", "effusion", 1, 1, 2, 2), ("a", "mass", 1, 1, 2, 2), ("c", "effusion", 1, 1, 2, 2),
        ("a", "effusion", 256, 1, 2, 2), ("b", "effusion", 1, 1, 2, 2),
    )  # fmt: skip
    boxes, notes = join_boxes(samples[0], published, samples[1])
    assert boxes["sample_id"].tolist() == ["s000000", "s000001"]
    assert notes == [
        "boxes.csv: 2 boxes on 2 images; the file holds 5.",
        "boxes.csv: 1 boxes belong to images that are not samples; they are left out.",
        "boxes.csv: 1 boxes are of findings that were not chosen; they are left out.",
        "boxes.csv: 1 boxes lie outside their image; they are left out.",
        "boxes.csv: 1 boxes lie on images whose label does not say their finding; they are kept.",
    ]


def test_a_file_name_of_two_samples_gets_no_box(manifest_of: ManifestOf, header: HeaderOf) -> None:
    rows = [{"path": f"/{folder}/a.dcm", "patient_id": folder, "effusion": 1} for folder in "xy"]
    boxes, notes = join_boxes(manifest_of(rows), boxes_of(("a", "effusion", 1, 1, 2, 2)), [header(r["path"]) for r in rows])
    assert boxes.empty
    assert "1 boxes belong to images that are not samples" in notes[1]


def test_boxes_of_other_images_are_refused(samples: tuple[Manifest, list[InstanceHeader]]) -> None:
    message = r"boxes\.csv: none of its 1 boxes lies on its image \(first: image of 256 x 512 pixels, box from 900, 1\)"
    with pytest.raises(ManifestError, match=message):
        join_boxes(samples[0], boxes_of(("a", "effusion", 900, 1, 2, 2)), samples[1])


def test_boxes_are_written_beside_the_manifest_and_read_again(
    samples: tuple[Manifest, list[InstanceHeader]], tmp_path: Path
) -> None:
    boxes, _ = join_boxes(samples[0], boxes_of(("a", "effusion", 1, 2, 3, 4)), samples[1])
    manifest = tmp_path / "m.parquet"
    assert read_boxes(manifest) is None
    write_boxes(manifest, boxes)
    assert boxes_beside(manifest) == tmp_path / "m.boxes.parquet"
    again = read_boxes(manifest)
    assert again is not None
    pd.testing.assert_frame_equal(again, boxes)
    write_boxes(manifest, None)
    assert read_boxes(manifest) is None


@pytest.mark.parametrize("wrong", ["text", "columns"])
def test_a_file_that_holds_no_boxes_is_refused(tmp_path: Path, wrong: str) -> None:
    path = boxes_beside(tmp_path / "m.parquet")
    if wrong == "text":
        path.write_text("left,top")
    else:
        pd.DataFrame({"left": [1]}).to_parquet(path)
    with pytest.raises(ManifestError, match=r"m\.boxes\.parquet: not a file of boxes"):
        read_boxes(tmp_path / "m.parquet")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,Mass,1,2,3,,,,", "row 2: left, top, width, height are '1', '2', '3', blank; a box needs four numbers"),
        (",Mass,1,2,3,4,,,", "row 2: a box without image_id"),
        ("a.png,,1,2,3,4,,,", "row 2: a box without finding"),
    ],
)
def test_nih_boxes_that_are_none(write: Write, row: str, message: str) -> None:
    write("BBox_List_2017.csv", f"Image Index,Finding Label,Bbox [x,y,w,h],,,\n{row}\n")
    with pytest.raises(ManifestError, match=message):
        read_labels(write("Data_Entry_2017.csv", "Image Index,Finding Labels\na.png,Mass\n"))


def test_nih_boxes_on_real_files(real_data: Path, hasher: PatientHasher) -> None:
    folder = real_data / "nih"
    labels = read_labels(folder / "Data_Entry_2017.csv")
    assert labels.boxes is not None
    stems = {name.rsplit(".", 1)[0] for name in labels.boxes.rows["image_id"]}
    # the boxed images and as many others; reading 1,000 headers adds nothing
    paths = find_images([folder / "images"])
    headers = [read_header(path) for path in paths if path.stem in stems] + [read_header(path) for path in paths[:50]]
    manifest, _ = build_manifest(headers, labels, hasher, sources=[folder])
    boxes, notes = join_boxes(manifest, labels.boxes, headers)
    assert notes == ["BBox_List_2017.csv: 49 boxes on 44 images; the file holds 49."]
    assert boxes["finding"].value_counts().to_dict() == {
        "Pneumonia": 43, "Infiltration": 2, "Cardiomegaly": 1, "Effusion": 1, "Mass": 1, "Pneumothorax": 1,
    }  # fmt: skip
    # The published picture and these files differ in size only, so a box covers the same share of both.
    size = {Path(header.path).stem: (header.rows, header.columns) for header in headers}
    where = manifest.frame.set_index("sample_id")["path"].map(lambda path: Path(path).stem)
    rows, columns = np.array([size[where[sample]] for sample in boxes["sample_id"]]).T
    published = labels.boxes.rows.sort_values(["width", "height"])
    assert np.sort(boxes["width"] / columns) == pytest.approx(np.sort(published["width"] / 1024), abs=1e-9)
    assert np.sort(boxes["height"] / rows) == pytest.approx(np.sort(published["height"] / 1024), abs=1e-9)
