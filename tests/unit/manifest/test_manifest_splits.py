import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medclassify.config import FractionsConfig
from medclassify.errors import SplitError
from medclassify.manifest import Manifest, assign_splits, check_leakage, check_splits
from medclassify.records import Split

ManifestOf = Callable[..., Manifest]
EVEN = {"train": 0.25, "tune": 0.25, "calibrate": 0.25, "test": 0.25}
PURE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def some_patients(count: int, seed: int, *, unlabelled: float = 0.1) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for patient in range(count):
        for _ in range(int(rng.geometric(0.5))):
            labels = [1 if rng.random() < share else 0 for share in (0.08, 0.4)]
            rows.append(
                {
                    "path": f"/d/{len(rows)}",
                    "patient_id": f"p{patient}",
                    "study_uid": f"{patient}",
                    "effusion": None if rng.random() < unlabelled else labels[0],
                    "edema": labels[1],
                }
            )
    return rows


@PURE
@given(seed=st.integers(0, 10_000), patients=st.integers(60, 250))
def test_patients_stay_whole_and_everyone_gets_a_split(manifest_of: ManifestOf, seed: int, patients: int) -> None:
    manifest = manifest_of(some_patients(patients, seed), ("effusion", "edema"))
    split = assign_splits(manifest, fractions=FractionsConfig(), seed=seed).frame
    assert split["split"].isin([part.value for part in Split]).all()
    assert (split.groupby("patient_id")["split"].nunique() == 1).all()
    by_patient = split.groupby("patient_id").agg(split=("split", "first"), effusion=("effusion", "max"), edema=("edema", "max"))
    shares = {"train": 0.6, "tune": 0.1, "calibrate": 0.1, "test": 0.2}
    off = []
    for name, share in shares.items():
        inside = by_patient["split"] == name
        assert abs(inside.sum() - share * patients) <= 4
        off += [abs((inside & (by_patient[f] == 1)).sum() - share * (by_patient[f] == 1).sum()) for f in ("effusion", "edema")]
    assert max(off) <= 5  # patients; drawing by lot is off by that on average
    assert np.mean(off) <= 1.5


@PURE
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_and_the_patient_key_change_nothing(manifest_of: ManifestOf, seed: int) -> None:
    manifest = manifest_of(some_patients(40, seed), ("effusion", "edema"))
    order = np.random.default_rng(seed).permutation(len(manifest))
    names = manifest.frame["patient_id"].map({name: f"{hash((name, seed)):x}" for name in manifest.frame["patient_id"]})
    shuffled = Manifest(
        manifest.frame.assign(patient_id=names.astype("str")).iloc[order].reset_index(drop=True), manifest.findings, "x", "y"
    )
    one = assign_splits(manifest, fractions=EVEN, seed=seed).frame.set_index("sample_id")["split"]
    other = assign_splits(shuffled, fractions=EVEN, seed=seed).frame.set_index("sample_id")["split"]
    assert one.equals(other.reindex(one.index))


def test_the_seed_decides(manifest_of: ManifestOf) -> None:
    manifest = manifest_of(some_patients(100, 0), ("effusion", "edema"))
    splits = [assign_splits(manifest, fractions=EVEN, seed=seed).frame["split"].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


def test_unlabelled_patients_are_shared_out(manifest_of: ManifestOf) -> None:
    rows = [{"path": f"/{n}", "patient_id": f"p{n}", "effusion": None if n % 5 == 0 else n % 2} for n in range(200)]
    split = assign_splits(manifest_of(rows), fractions=EVEN, seed=0).frame
    assert split[split["effusion"].isna()]["split"].value_counts().tolist() == [10, 10, 10, 10]


def test_patients_with_many_images_are_shared_out(manifest_of: ManifestOf) -> None:
    rows = [
        {"path": f"/{patient}/{image}", "patient_id": f"p{patient}", "effusion": patient % 2}
        for patient in range(80)
        for image in range(20 if patient < 8 else 1)
    ]
    images = assign_splits(manifest_of(rows), fractions=EVEN, seed=0).frame["split"].value_counts()
    assert images.max() == images.min() == 58


def test_the_note_says_what_was_drawn(manifest_of: ManifestOf) -> None:
    rows = [{"path": f"/{n}", "patient_id": f"p{n}", "effusion": n % 2} for n in range(20)]
    split = assign_splits(manifest_of(rows), fractions=FractionsConfig(), seed=7)
    assert split.notes[-1] == "split: drawn with seed 7; train 12, tune 2, calibrate 2, test 4 patients."


# ---- published splits


def published(manifest_of: ManifestOf, splits: list[str | None], patients: list[str] | None = None) -> Manifest:
    rows = [
        {"path": f"/{n}", "patient_id": patients[n] if patients else f"p{n}", "effusion": n % 2, "split": split}
        for n, split in enumerate(splits)
    ]
    return manifest_of(rows)


def test_a_published_test_list_is_kept_and_train_divided_in_proportion(manifest_of: ManifestOf) -> None:
    split = assign_splits(published(manifest_of, ["train"] * 80 + ["test"] * 20), fractions=FractionsConfig(), seed=0)
    assert (split.frame["split"][80:] == "test").all()
    assert split.frame["split"][:80].value_counts().to_dict() == {"train": 60, "tune": 10, "calibrate": 10}
    assert split.notes[-1].startswith(
        "split: published (train 80, test 20 images); its train patients were divided with seed 0"
    )


def test_only_what_is_lacking_is_drawn(manifest_of: ManifestOf) -> None:
    before = ["train"] * 70 + ["tune"] * 10 + ["test"] * 20
    after = assign_splits(published(manifest_of, before), fractions=FractionsConfig(), seed=0).frame["split"]
    assert after[70:].tolist() == before[70:]
    assert after[:70].value_counts().to_dict() == {"train": 60, "calibrate": 10}


def test_a_whole_published_split_is_left_alone(manifest_of: ManifestOf) -> None:
    before = ["train", "train", "tune", "tune", "calibrate", "test"]
    assert assign_splits(published(manifest_of, before), fractions=EVEN, seed=0).frame["split"].tolist() == before


def test_a_sample_without_published_split_follows_its_patient_or_counts_as_train(manifest_of: ManifestOf) -> None:
    splits = ["test", None, None, *["train"] * 20, "tune", "calibrate"]
    patients = ["a", "a", "b", *(f"p{n}" for n in range(22))]
    split = assign_splits(published(manifest_of, splits, patients), fractions=FractionsConfig(), seed=0)
    assert split.frame["split"][:3].tolist() == ["test", "test", "train"]
    assert "; 2 images without one follow their patient or count as train" in split.notes[-1]


def test_random_forgets_published_splits(manifest_of: ManifestOf) -> None:
    manifest = published(manifest_of, ["train"] * 99 + ["test"])
    counts = assign_splits(manifest, fractions=FractionsConfig(), seed=0, mode="random").frame["split"].value_counts()
    assert counts.to_dict() == {"train": 60, "test": 20, "tune": 10, "calibrate": 10}


def test_a_test_list_alone_makes_no_train_split(manifest_of: ManifestOf) -> None:
    split = assign_splits(published(manifest_of, ["test"] * 10), fractions=FractionsConfig(), seed=0)
    assert (split.frame["split"] == "test").all()
    with pytest.raises(SplitError, match="split train is empty"):
        check_splits(split)


def test_a_published_leak_is_kept_for_the_gate_to_find(manifest_of: ManifestOf) -> None:
    patients = ["a", *(f"p{n}" for n in range(30)), "a"]
    manifest = published(manifest_of, [*["train"] * 31, "test"], patients)
    assert not check_leakage(assign_splits(manifest, fractions=FractionsConfig(), seed=0)).clean


# ---- refusals


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.6, "test": 0.2}, r"must add up to 1, received 0\.6 \+ 0 \+ 0 \+ 0\.2 = 0\.8"),
        ({"train": 1.2, "test": -0.2}, r"data\.fractions\.train must lie between 0 and 1, received 1\.2"),
        ({"train": float("nan"), "test": 1.0}, r"data\.fractions\.train must lie between 0 and 1, received nan"),
        ({"train": 0.0, "test": 1.0}, "nothing to learn from"),
        ({"train": 0.5, "validation": 0.5}, r"data\.fractions\.validation is not a split"),
    ],
)
def test_fractions_that_do_not_fit(manifest_of: ManifestOf, fractions: dict[str, float], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        assign_splits(manifest_of(some_patients(20, 0), ("effusion", "edema")), fractions=fractions, seed=0)


def test_a_mode_that_is_none(manifest_of: ManifestOf) -> None:
    with pytest.raises(SplitError, match=r"data\.split must be auto or random, received 'patients'"):
        assign_splits(manifest_of(some_patients(20, 0), ("effusion", "edema")), fractions=EVEN, seed=0, mode="patients")  # type: ignore[arg-type]


def test_too_few_patients(manifest_of: ManifestOf) -> None:
    with pytest.raises(SplitError, match=r"3 patients cannot fill 4 splits \(train, tune, calibrate, test\)"):
        assign_splits(published(manifest_of, [None] * 3), fractions=EVEN, seed=0)


def test_as_many_patients_as_splits_is_enough(manifest_of: ManifestOf) -> None:
    split = assign_splits(published(manifest_of, [None] * 4), fractions=FractionsConfig(), seed=0)
    assert sorted(split.frame["split"]) == ["calibrate", "test", "train", "tune"]


def test_one_class_in_train_is_refused_and_elsewhere_mentioned(manifest_of: ManifestOf) -> None:
    rows = [{"path": f"/{split}{label}", "patient_id": f"{split}{label}", "split": split, "effusion": label, "edema": label}
            for split in ("train", "tune", "calibrate", "test") for label in (0, 1)]  # fmt: skip
    assert check_splits(manifest_of(rows, ("effusion", "edema"))) == []
    rows[7]["edema"] = -1
    assert check_splits(manifest_of(rows, ("effusion", "edema"))) == [
        "edema has one class only in test (0 positive, 1 negative): what is measured there is not estimable."
    ]
    rows[1]["edema"] = None
    with pytest.raises(SplitError, match=r"edema has one class only in train \(0 positive, 1 negative\)"):
        check_splits(manifest_of(rows, ("effusion", "edema")))


def test_an_empty_split_is_refused(manifest_of: ManifestOf) -> None:
    with pytest.raises(SplitError, match=r"split calibrate is empty \(4 patients in all\)"):
        check_splits(published(manifest_of, ["train", "train", "tune", "test"]))


def test_splits_are_text_without_gaps(manifest_of: ManifestOf) -> None:
    split = assign_splits(published(manifest_of, [None] * 40), fractions=EVEN, seed=0).frame["split"]
    assert split.dtype == pd.StringDtype(na_value=np.nan)
    assert split.notna().all()


@PURE
@given(seed=st.integers(0, 10_000))
def test_patients_joined_by_pairs_of_samples_are_drawn_as_one(manifest_of: ManifestOf, seed: int) -> None:
    manifest = manifest_of(some_patients(60, seed), ("effusion", "edema"))
    first = manifest.frame.drop_duplicates("patient_id")["sample_id"].tolist()
    chain = [(first[0], first[7]), (first[7], first[21]), (first[40], first[21]), (first[0], first[40])]
    split = assign_splits(manifest, fractions=EVEN, seed=seed, together=chain).frame
    assert (split.groupby("patient_id")["split"].nunique() == 1).all()
    of_sample = split.set_index("sample_id")["split"]
    assert of_sample[[first[0], first[7], first[21], first[40]]].nunique() == 1
    note = assign_splits(manifest, fractions=EVEN, seed=seed, together=chain).notes[-1]
    assert sum(int(n) for n in re.findall(r"(?:train|tune|calibrate|test) (\d+)", note)) == 60  # patients, joined or not


def test_pairs_do_not_move_what_is_published(manifest_of: ManifestOf) -> None:
    rows = [{"path": f"/{n}", "patient_id": f"p{n}", "effusion": n % 2, "split": "test" if n < 20 else None} for n in range(80)]
    manifest = manifest_of(rows)
    ids = manifest.frame["sample_id"]
    split = assign_splits(manifest, fractions=EVEN, seed=1, together=[(ids[0], ids[50]), (ids[30], ids[60])]).frame["split"]
    assert (split[:20] == "test").all()
    assert (split[20:] != "test").all()
    assert split[30] == split[60]
