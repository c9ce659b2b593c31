"""What is known about a patient and an image besides the findings, in one spelling."""

import numpy as np
import pandas as pd

AGE_BANDS = ("0-17", "18-39", "40-59", "60-79", "80+")
_AGE_EDGES = (0, 18, 40, 60, 80, np.inf)
MAX_AGE = 120
_YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_SEX = {
    **dict.fromkeys(("F", "FEMALE", "WOMAN"), "F"),
    **dict.fromkeys(("M", "MALE", "MAN"), "M"),
    **dict.fromkeys(("O", "OTHER"), "O"),
    **dict.fromkeys(("U", "UNKNOWN"), None),
}

# Columns that say who or how even when they are coded 0 and 1, so they are not taken for findings unless named as such.
PATIENT_FACTS = {
    "race", "ethnicity", "insurance", "country", "language", "smoker", "smoking", "pregnant", "inpatient", "outpatient",
    "emergency", "icu", "portable", "scanner", "fold", "follow_up", "weight", "height", "bmi", "year",
}  # fmt: skip


def age_band(age_years: pd.Series) -> pd.Series:
    """Age bands 0-17, 18-39, 40-59, 60-79, 80+ (completed years); missing stays missing.

    Args:
        age_years: float64 (N,), years.

    Returns:
        str (N,).
    """
    return pd.cut(age_years, list(_AGE_EDGES), right=False, labels=list(AGE_BANDS)).astype("str")


def normalise_age(text: pd.Series) -> tuple[pd.Series, list[str]]:
    """Reads ages in years, or in the form of a DICOM age string (``060Y``, ``018M``; PS3.5 section 6.2, VR AS).

    Ages below 0 or above 120 are slips of the pen (ChestX-ray14 has patients of 411 years) and become missing, and counted.

    Args:
        text: str (N,).

    Returns:
        float64 (N,) years, and what was made missing, in words.
    """
    spellings = pd.Series(text.dropna().unique(), dtype="str")
    parts = spellings.str.strip().str.upper().str.extract(r"^(-?\d+(?:\.\d*)?)([YMWD])?$")
    years = parts[0].astype("float64") * parts[1].map(_YEARS_PER).astype("float64").fillna(1.0)
    age = text.map(dict(zip(spellings, years, strict=True))).astype("float64")
    notes = []
    unread = text.notna() & age.isna()
    if unread.any():
        notes.append(f"age: {int(unread.sum())} values are not an age (first: {text[unread].iloc[0]!r}); taken as missing.")
    age, impossible = possible_age(age)
    return age, notes + impossible


def possible_age(age_years: pd.Series) -> tuple[pd.Series, list[str]]:
    """Makes ages outside 0 to 120 years missing, and says how many there were."""
    impossible = (age_years < 0) | (age_years > MAX_AGE)
    if not impossible.any():
        return age_years, []
    note = (
        f"age: {int(impossible.sum())} values outside 0 to {MAX_AGE} years "
        f"(first: {age_years[impossible].iloc[0]:g}) are errors; taken as missing."
    )
    return age_years.mask(impossible), [note]


def normalise_sex(text: pd.Series) -> tuple[pd.Series, list[str]]:
    """F, M and O for the usual spellings; ``U`` and ``unknown`` become missing; anything else is kept as written and named.

    Args:
        text: str (N,).

    Returns:
        str (N,), and what was not understood, in words.
    """
    upper = text.str.strip().str.upper()
    known = upper.isin(list(_SEX))
    strange = sorted(upper[~known].dropna().unique())
    notes = [f"sex: {', '.join(map(repr, strange[:5]))} kept as written (known are F, M, O and U)."] if strange else []
    return upper.map(_SEX).astype("str").where(known, upper), notes


def normalise_code(text: pd.Series) -> pd.Series:
    """Upper case without outer blanks, as DICOM code strings are (PS3.5 section 6.2, VR CS)."""
    return text.str.strip().str.upper()
