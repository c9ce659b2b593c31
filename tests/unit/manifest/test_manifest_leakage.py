import json
from collections.abc import Callable

import pytest

from medclassify.errors import LeakageError
from medclassify.manifest import Manifest, NearDuplicate, check_leakage, require_no_leakage

ManifestOf = Callable[..., Manifest]


def rows(**changes: dict[str, object]) -> list[dict[str, object]]:
    """Four patients, one a split, with what is planted in some of them."""
    plain = [
        {
            "path": f"/{n}",
            "patient_id": f"{n}" * 16,
            "study_uid": f"1.{n}",
            "series_uid": f"3.{n}",
            "sop_uid": f"2.{n}",
            "split": split,
            "effusion": n % 2,
        }
        for n, split in enumerate(("train", "tune", "calibrate", "test"))
    ]
    for split, change in changes.items():
        next(row for row in plain if row["split"] == split).update(change)
    return plain


def test_clean_splits_are_clean(manifest_of: ManifestOf) -> None:
    report = check_leakage(manifest_of(rows()))
    assert report.clean
    assert report.checked == {"patient_id": 4, "study_uid": 4, "series_uid": 4, "sop_uid": 4}
    assert report.samples == {"train": 1, "tune": 1, "calibrate": 1, "test": 1}
    assert report.unchecked == (
        "pixel_hash: pixels were not compared.",
        "near_duplicate: pictures were not compared: samples are series, or nothing is prepared.",
    )
    require_no_leakage(report)


@pytest.mark.parametrize(
    ("check", "value", "text"),
    [
        ("patient_id", "0" * 16, "1 patient is in both train and test (first: 0000…)"),
        ("study_uid", "1.0", "1 study is in both train and test"),
        ("series_uid", "3.0", "1 series is in both train and test"),
        ("sop_uid", "2.0", "1 image (SOP Instance UID) is in both train and test"),
    ],
)
def test_each_planted_crossing_is_found(manifest_of: ManifestOf, check: str, value: str, text: str) -> None:
    report = check_leakage(manifest_of(rows(test={check: value})))
    assert [finding.check for finding in report.findings] == [check]
    assert str(report.findings[0]).startswith(text)
    assert report.findings[0].examples[0] | {"id": ""} == {"id": "", "train": "s000000", "test": "s000003"}


def test_equal_pixels_under_two_uids_are_found(manifest_of: ManifestOf) -> None:
    manifest = manifest_of(rows())
    hashes = {"s000000": "aa", "s000001": "bb", "s000003": "aa"}
    report = check_leakage(manifest, pixel_hashes=hashes)
    assert [str(finding)[:52] for finding in report.findings] == ["1 image with equal pixels is in both train and test "]
    assert report.unchecked[0] == "pixel_hash: 1 images have none."
    with pytest.raises(LeakageError, match="Remove the repeated images, or state why"):
        require_no_leakage(report)
    assert check_leakage(manifest, pixel_hashes={"s000000": "aa", "s000001": "bb"}).clean


def test_a_patient_in_three_splits_is_found_in_each_pair(manifest_of: ManifestOf) -> None:
    same = {"patient_id": "0" * 16}
    report = check_leakage(manifest_of(rows(tune=same, test=same)))
    assert {finding.splits for finding in report.findings} == {("train", "tune"), ("train", "test"), ("tune", "test")}


def test_missing_values_are_never_equal(manifest_of: ManifestOf) -> None:
    missing = {"study_uid": None, "sop_uid": None}
    report = check_leakage(manifest_of(rows(train=missing, test=missing)))
    assert report.clean
    assert report.unchecked[:2] == ("study_uid: 2 images have none.", "sop_uid: 2 images have none.")


def test_missing_patient_ids_are_said_to_be_unchecked(manifest_of: ManifestOf) -> None:
    plain = manifest_of(rows())
    manifest = Manifest(plain.frame, plain.findings, "x", "y", patient_source={"labels": 1, "study_uid": 2, "image": 1})
    unchecked = check_leakage(manifest).unchecked
    assert unchecked[0] == "patient_id: 2 images have none; their study stands in for the patient."
    assert unchecked[1].startswith("patient_id: 1 images have neither patient id nor study UID")


def test_the_gate_says_what_and_how_to_mend_it(manifest_of: ManifestOf) -> None:
    many = [
        {"path": f"/{n}", "patient_id": f"{n % 3}" * 16, "split": "train" if n < 3 else "test", "effusion": 0} for n in range(6)
    ]
    report = check_leakage(manifest_of(many))
    expected = (
        '3 patients are in both train and test (first: 0000…). Split by patient_id, or state why with --allow-leakage "reason".'
    )
    for reason in (None, "", "  "):
        with pytest.raises(LeakageError) as error:
            require_no_leakage(report, reason)
        assert str(error.value) == expected
    require_no_leakage(report, "the same machine twice on purpose")


def test_the_gate_counts_further_findings(manifest_of: ManifestOf) -> None:
    with pytest.raises(LeakageError, match=r"2 more such findings stand in leakage\.json\.$"):
        require_no_leakage(
            check_leakage(manifest_of(rows(test={"patient_id": "0" * 16, "study_uid": "1.0", "sop_uid": "2.0"})))
        )


def test_leakage_json_names_no_uid_and_five_examples_at_most(manifest_of: ManifestOf) -> None:
    many = [
        {"path": f"/{n}", "patient_id": f"{n % 9:016x}",
         "sop_uid": f"1.2.840.{n % 9}", "split": "train" if n < 9 else "test", "effusion": 0}
        for n in range(18)
    ]  # fmt: skip
    content = check_leakage(manifest_of(many)).to_json()
    text = json.dumps(content)
    assert "1.2.840" not in text
    assert content["clean"] is False
    assert [(finding["check"], finding["count"], len(finding["examples"])) for finding in content["findings"]] == [
        ("patient_id", 9, 5), ("sop_uid", 9, 5),
    ]  # fmt: skip
    assert content["checked"]["patient_id"] == 9
    assert content["findings"][0]["text"] == "9 patients are in both train and test (first: 0000…)."


def test_pictures_that_are_alike_are_a_leak_across_splits_and_a_note_within_one(manifest_of: ManifestOf) -> None:
    many = [*rows(), *[{**row, "patient_id": f"{n + 4}" * 16, "study_uid": None, "series_uid": None, "sop_uid": None}
                       for n, row in enumerate(rows())]]  # fmt: skip
    alike = (NearDuplicate("s000003", "s000000", 0.981), NearDuplicate("s000001", "s000005", 0.975))
    report = check_leakage(manifest_of(many), alike=alike)
    assert report.checked["near_duplicate"] == 8
    assert [str(finding) for finding in report.findings] == [
        "1 picture is in both train and test, not equal but alike (first: samples s000000 and s000003, similarity 0.981)"
    ]
    assert report.notes == (
        "near_duplicate: 1 pairs of images of two patients are alike within one split: two ids of one patient?",
    )
    assert report.to_json()["notes"] == list(report.notes)
    with pytest.raises(LeakageError, match=r"Look at the pairs in leakage\.json, and remove the copies .* --allow-leakage"):
        require_no_leakage(report)
    require_no_leakage(report, "the same phantom on purpose")


def test_pictures_of_equal_pixels_are_told_once_and_strangers_not_at_all(manifest_of: ManifestOf) -> None:
    alike = (NearDuplicate("s000000", "s000003", 1.0), NearDuplicate("s000000", "elsewhere", 1.0))
    report = check_leakage(manifest_of(rows()), pixel_hashes={"s000000": "aa", "s000003": "aa"}, alike=alike)
    assert [finding.check for finding in report.findings] == ["pixel_hash"]
    assert check_leakage(manifest_of(rows()), alike=()).clean
