import json
from collections.abc import Callable

from medclassify.manifest import Manifest, describe

ManifestOf = Callable[..., Manifest]


def test_counts_of_each_split_with_missing_as_a_group(manifest_of: ManifestOf) -> None:
    rows = [
        {"path": "/0", "patient_id": "a", "study_uid": "1", "split": "train", "sex": "F",
         "age": 40, "ward": "x", "effusion": 1},
        {"path": "/1", "patient_id": "a", "study_uid": "1", "split": "train", "sex": "F",
         "age": 50, "ward": "y", "effusion": -1},
        {"path": "/2", "patient_id": "b", "study_uid": None, "split": "test", "sex": None, "age": None,
         "ward": "x", "effusion": None},
        {"path": "/3", "patient_id": "b", "study_uid": None, "split": "test", "sex": "M", "age": None,
         "ward": None, "effusion": 0},
    ]  # fmt: skip
    counts = describe(manifest_of(rows))
    assert list(counts) == ["all", "train", "test"]
    assert {name: counts["all"][name] for name in ("patients", "studies", "images")} == {
        "patients": 2,
        "studies": 3,
        "images": 4,
    }
    assert counts["all"]["findings"]["effusion"] == {"positive": 1, "negative": 1, "uncertain": 1, "unlabelled": 1}
    assert counts["train"]["attributes"]["sex"] == {"F": 2, "missing": 0}
    assert counts["test"]["attributes"]["sex"] == {"M": 1, "missing": 1}
    assert counts["test"]["attributes"]["ward"] == {"x": 1, "missing": 1}
    assert counts["train"]["age"] == {"median": 45.0, "q25": 42.5, "q75": 47.5, "missing": 0}
    assert counts["test"]["age"] == {"median": None, "q25": None, "q75": None, "missing": 2}
    assert json.loads(json.dumps(counts, allow_nan=False)) == counts


def test_samples_without_split_are_a_part_of_their_own(manifest_of: ManifestOf) -> None:
    counts = describe(manifest_of([{"path": "/0", "patient_id": "a", "effusion": 1}]))
    assert list(counts) == ["all", "unassigned"]


def test_very_many_groups_are_put_together_and_that_is_said(manifest_of: ManifestOf) -> None:
    rows = [{"path": f"/{n}", "patient_id": "a", "site": f"site {n:03d}", "effusion": 1} for n in range(50)]
    sites = describe(manifest_of(rows))["all"]["attributes"]["site"]
    assert len(sites) == 42
    assert sites["10 others"] == 10
    assert sum(sites.values()) == 50
