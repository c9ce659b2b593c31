"""Anyone's predictions table: what is taken, and what is refused in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medclassify.audit import audit_predictions, audit_table
from medclassify.errors import ManifestError, MetricError


@pytest.fixture
def wide() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "label_value": [0, 1] * 60,
            "probability": random.random(120),
            "age": random.uniform(1, 99, 120),
            "sex": ["F", "M", None] * 40,
        }
    )


def test_a_wide_table_is_one_finding_and_each_row_a_patient(wide: pd.DataFrame) -> None:
    table = audit_table(wide, ["sex", "age"])
    assert table.findings == ("finding",)
    assert table.frame["patient_id"].nunique() == 120
    assert any("no patient_id" in note for note in table.notes)
    assert any("No threshold and no decision" in note for note in table.notes)


def test_a_column_that_may_say_who_the_patient_is_is_named_and_not_guessed(wide: pd.DataFrame) -> None:
    assert not any("call it patient_id" in note for note in audit_table(wide, []).notes)
    table = audit_table(wide.assign(**{"Subject ID": np.arange(120) // 2}), [])
    assert table.frame["patient_id"].nunique() == 120
    assert any(note.endswith("If Subject ID says who the patient is, call it patient_id.") for note in table.notes)


def test_a_finding_without_a_name_takes_the_files_and_it_is_said(wide: pd.DataFrame, tmp_path: Path) -> None:
    wide.to_csv(tmp_path / "pneumonia.v2.csv.gz", index=False)
    table = audit_table(tmp_path / "pneumonia.v2.csv.gz", [])
    assert table.findings == ("pneumonia.v2",)
    assert any("no column `finding`" in note and "pneumonia.v2" in note for note in table.notes)
    assert not any("`finding`" in note for note in audit_table(wide.assign(finding="Edema"), []).notes)


@pytest.mark.parametrize("column", ["patient_name", "PatientName", "surname", "birth_date", "MRN", "comment"])
def test_a_column_that_says_it_names_a_person_is_no_attribute(wide: pd.DataFrame, column: str) -> None:
    named = wide.assign(**{column: ["SMITH^JOHN", "DOE^JANE"] * 60})
    with pytest.raises(
        ManifestError, match=rf"the column '{column}' says that it holds .*, which no report may show"
    ) as caught:
        audit_table(named, ["sex", column])
    assert "\n" not in str(caught.value)
    assert "SMITH" not in str(caught.value)
    with pytest.raises(ManifestError, match="it has: age, sex"):  # nor is it offered
        audit_table(named, ["race"])


def test_a_column_that_names_a_thing_is_one(wide: pd.DataFrame) -> None:
    assert audit_table(wide.assign(site_name=["North", "South"] * 60), ["site_name"]).attributes == ("site_name",)


def test_a_table_with_a_column_for_each_finding_is_told_its_shape(wide: pd.DataFrame) -> None:
    theirs = wide.rename(columns={"label_value": "Edema", "probability": "Edema_prob"})
    with pytest.raises(
        ManifestError, match="Give one row a sample and finding, in columns sample_id, patient_id, finding, target"
    ):
        audit_table(theirs, [])


def test_blanks_are_a_subgroup_of_their_own_and_stand_last(wide: pd.DataFrame) -> None:
    table = audit_table(wide.assign(site=["", " ", "10", "9", np.nan, "b"] * 20), ["sex", "site"])
    assert table.levels["sex"] == ("F", "M", "missing")
    assert table.levels["site"] == ("9", "10", "b", "missing")
    assert (table.frame["sex"] == "missing").sum() == 40
    assert (table.frame["site"] == "missing").sum() == 60


def test_age_in_years_becomes_bands(wide: pd.DataFrame) -> None:
    ages = [0, 17.9, 18, 39, 40, 59, 60, 79, 80, 411, None, 5] * 10
    table = audit_table(wide.assign(age=ages), ["age"])
    assert table.levels["age"] == ("0-17", "18-39", "40-59", "60-79", "80+", "missing")
    counts = table.frame["age"].value_counts()
    assert counts.to_dict() == {"0-17": 30, "18-39": 20, "40-59": 20, "60-79": 20, "80+": 10, "missing": 20}
    assert any("411" in note for note in table.notes)


def test_dicom_age_strings_become_bands_too(wide: pd.DataFrame) -> None:
    assert audit_table(wide.assign(age=["007Y", "018M", "081Y"] * 40), ["age"]).levels["age"] == ("0-17", "80+")


def test_other_numbers_become_quarters_and_codes_stay(wide: pd.DataFrame) -> None:
    table = audit_table(wide.assign(bmi=np.arange(120.0), scanner=[1, 2, 10] * 40), ["bmi", "scanner"])
    assert len(table.levels["bmi"]) == 4
    assert table.levels["bmi"][0].startswith("≤")
    assert table.levels["scanner"] == ("1", "2", "10")


def test_many_small_levels_stand_together_and_it_is_said(wide: pd.DataFrame) -> None:
    table = audit_table(wide.assign(site=[f"site {number % 30}" for number in range(120)]), ["site"])
    assert len(table.levels["site"]) == 12
    assert table.levels["site"][-1] == "other"
    assert any("19 smallest" in note for note in table.notes)


def test_an_ordered_category_keeps_its_order(wide: pd.DataFrame) -> None:
    size = pd.Categorical(["small", "large", "middle"] * 40, categories=["small", "middle", "large"], ordered=True)
    assert audit_table(wide.assign(size=size), ["size"]).levels["size"] == ("small", "middle", "large")


def test_uncertain_and_blank_labels_are_masked(make_predictions) -> None:
    frame = make_predictions(100)
    frame.loc[:4, "target"] = -1
    frame.loc[5:9, "target"] = pd.NA
    frame.loc[0, "prob_cal"] = np.nan  # without a label, its score does not matter
    assert audit_table(frame, []).frame["target"].isna().sum() == 10


def test_only_test_rows_are_evaluated(make_predictions) -> None:
    frame = make_predictions(100)
    frame.loc[frame["sample_id"] < "s00030", "split"] = "calibrate"
    assert audit_table(frame, []).frame["sample_id"].nunique() == 70


def test_decisions_follow_from_thresholds(wide: pd.DataFrame) -> None:
    table = audit_table(wide.assign(threshold=0.5), [])
    assert (table.frame["decision"] == (wide["probability"] >= 0.5)).all()


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "parquet"])
def test_files_read_alike(wide: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"predictions.{suffix}"
    wide = wide.assign(patient_id=[f"{number:03d}" for number in range(120)])
    if suffix == "parquet":
        wide.to_parquet(path)
    else:
        wide.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    table = audit_table(path, ["sex"])
    assert table.frame["patient_id"].iloc[7] == "007"
    assert table.levels["sex"] == ("F", "M", "missing")


def change(frame: pd.DataFrame, column: str, value: object, row: int = 3) -> pd.DataFrame:
    changed = frame.copy()
    changed[column] = changed[column].astype(object)
    changed.loc[row, column] = value
    return changed


@pytest.mark.parametrize(
    ("spoil", "attributes", "kind", "message"),
    [
        (lambda t: t.iloc[:0], [], ManifestError, "the table holds no rows"),
        (
            lambda t: t.drop(columns="label_value"),
            [],
            ManifestError,
            "no column for the truth: expected one of target, label_value",
        ),
        (
            lambda t: t.drop(columns="probability"),
            [],
            ManifestError,
            "no column for the score: expected one of prob_cal, probability",
        ),
        (lambda t: t, ["race"], ManifestError, r"'race' is not an attribute column; it has: age, sex"),
        (lambda t: t, ["probability"], ManifestError, r"'probability' is not an attribute column"),
        (lambda t: t, ["sex", "sex"], ManifestError, "an attribute is named twice: sex, sex"),
        (lambda t: t.assign(finding=["a", "b"] * 60), [], ManifestError, "no column sample_id"),
        (lambda t: change(t.assign(finding="a"), "finding", None), [], ManifestError, "1 rows have no finding"),
        (
            lambda t: change(t, "probability", np.nan),
            [],
            MetricError,
            r"not finite in 1 labelled rows \(first: sample row 3, received nan\)",
        ),
        (lambda t: change(t, "probability", np.inf), [], MetricError, "not finite in 1 labelled rows"),
        (lambda t: change(t, "probability", "high"), [], MetricError, "probability must be a number, received 'high'"),
        (
            lambda t: t.assign(probability=t["probability"] * 6 - 3),
            [],
            MetricError,
            r"values outside \[0, 1\] \(from -2\.\d+ to 2\.\d+\): these look like logits; calibrate them first",
        ),
        (lambda t: change(t, "label_value", 2), [], MetricError, r"must be 1 \(present\), 0 \(absent\), .* received 2"),
        (lambda t: t.assign(label_value=1), [], MetricError, r"every finding has one class \(only 1\)"),
        (lambda t: t.assign(label_value=-1), [], MetricError, r"every finding has one class \(no label at all\)"),
        (
            lambda t: t.assign(sample_id=[1, 1, *range(118)]),
            [],
            MetricError,
            r"2 rows repeat a sample and finding \(first: sample 1",
        ),
        (lambda t: change(t.assign(sample_id=range(120)), "sample_id", None), [], MetricError, "1 rows have no sample_id"),
        (lambda t: t.assign(decision=2), [], MetricError, "decision must be 0, 1 or blank, received 2"),
        (lambda t: t.assign(split="train"), [], MetricError, "no row is of split test, only train"),
    ],
)
def test_bad_tables_are_refused_in_one_line(wide: pd.DataFrame, spoil, attributes: list[str], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        audit_predictions(spoil(wide), attributes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such predictions table"),
        ("semi.csv", b"sample_id;finding;target;prob\na;x;1;0,5\n", "separated by semicolons. Export it with commas"),
        ("scores.xlsx", b"PK", "read from .csv, .tsv or .parquet, received .xlsx"),
        ("empty.csv", b"", "the table holds no rows"),
        ("text.parquet", b"not parquet", "cannot be read as parquet"),
        ("binary.csv", b"\xff\xfe\x00a,b", "cannot be read as csv"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=message) as caught:
        audit_predictions(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
