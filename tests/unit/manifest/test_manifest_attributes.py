import numpy as np
import pandas as pd
import pytest

from medclassify.manifest import AGE_BANDS
from medclassify.manifest.attributes import age_band, normalise_age, normalise_code, normalise_sex, possible_age


def text(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="str")


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (0, "0-17"), (17.99, "0-17"), (18, "18-39"), (39.5, "18-39"), (40, "40-59"), (60, "60-79"), (79, "60-79"),
        (80, "80+"), (120, "80+"),
    ],
)  # fmt: skip
def test_age_bands_hold_completed_years(years: float, band: str) -> None:
    assert age_band(pd.Series([years])).tolist() == [band]
    assert band in AGE_BANDS


def test_a_missing_age_has_no_band() -> None:
    assert age_band(pd.Series([np.nan, 5.0])).isna().tolist() == [True, False]


def test_ages_are_read_as_years_or_dicom_age_strings() -> None:
    age, notes = normalise_age(text("77", " 58.5 ", "060Y", "018M", "010W", "730D", None))
    np.testing.assert_allclose(age, [77, 58.5, 60, 1.5, 70 / 365.25, 730 / 365.25, np.nan])
    assert notes == []


def test_impossible_ages_become_missing_and_are_counted() -> None:
    age, notes = normalise_age(text("411", "40", "-3", "120", "old"))
    assert age.isna().tolist() == [True, False, True, False, True]
    assert notes == [
        "age: 1 values are not an age (first: 'old'); taken as missing.",
        "age: 2 values outside 0 to 120 years (first: 411) are errors; taken as missing.",
    ]


def test_possible_ages_pass_without_a_word() -> None:
    assert possible_age(pd.Series([0.0, 120.0, np.nan]))[1] == []


def test_sex_has_one_spelling() -> None:
    sex, notes = normalise_sex(text("f", "Female", "M", "man", "o", "U", "unknown", None))
    assert sex[:5].tolist() == ["F", "F", "M", "M", "O"]
    assert sex[5:].isna().all()
    assert notes == []


def test_a_strange_sex_is_kept_and_named() -> None:
    sex, notes = normalise_sex(text("1", "F"))
    assert sex.tolist() == ["1", "F"]
    assert notes == ["sex: '1' kept as written (known are F, M, O and U)."]


def test_codes_are_upper_case() -> None:
    assert normalise_code(text(" pa "))[0] == "PA"
