from collections.abc import Callable

import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, PatientHasher, keep_findings, keep_samples, without_patients

ManifestOf = Callable[..., Manifest]


@pytest.fixture
def manifest(manifest_of: ManifestOf, hasher: PatientHasher) -> Manifest:
    rows = [{"path": f"/{n}", "patient_id": hasher.hash(f"{n // 2}"), "effusion": n % 2, "edema": 0} for n in range(6)]
    return manifest_of(rows, ("effusion", "edema"))


def test_named_samples_are_kept_in_the_manifests_order(manifest: Manifest) -> None:
    kept = keep_samples(manifest, ["s000004", "s000001"]).frame
    assert kept["sample_id"].tolist() == ["s000001", "s000004"]
    assert kept.index.tolist() == [0, 1]


def test_named_findings_are_kept_in_the_order_given(manifest: Manifest) -> None:
    assert keep_findings(manifest, ("edema", "effusion")).findings == ("edema", "effusion")
    with pytest.raises(ManifestError, match="has no finding 'mass'; it has effusion, edema"):
        keep_findings(manifest, ("mass",))


@pytest.mark.parametrize("spelling", ["1", "001", "hash"])
def test_a_patient_is_left_out_by_id_or_hash(manifest: Manifest, hasher: PatientHasher, spelling: str) -> None:
    entry = hasher.hash("1") if spelling == "hash" else spelling
    rest, exclusions, notes = without_patients(manifest, [entry], hasher)
    assert rest.frame["path"].tolist() == ["/0", "/1", "/4", "/5"]
    assert [(exclusion.path, exclusion.reason) for exclusion in exclusions] == [
        ("/2", "patient excluded"),
        ("/3", "patient excluded"),
    ]
    assert notes == ["patients left out on request: 1, with 2 images."]


def test_nobody_to_leave_out_changes_nothing(manifest: Manifest, hasher: PatientHasher) -> None:
    rest, exclusions, notes = without_patients(manifest, [], hasher)
    assert (len(rest), exclusions, notes) == (6, [], [])


def test_an_entry_that_matches_nobody_is_mentioned_without_naming_it(manifest: Manifest, hasher: PatientHasher) -> None:
    _, _, notes = without_patients(manifest, ["secret-7", "0"], hasher)
    assert notes[1].startswith("WARNING: 1 of 2 excluded patients have no image here")
    assert "secret" not in " ".join(notes)


def test_leaving_everyone_out_is_an_error(manifest: Manifest, hasher: PatientHasher) -> None:
    with pytest.raises(ManifestError, match="no sample is left without the 3 excluded patients"):
        without_patients(manifest, ["0", "1", "2"], hasher)
