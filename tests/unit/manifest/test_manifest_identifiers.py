import pandas as pd
import pytest

from medclassify.manifest.identifiers import identifying_content, identifying_name


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("PatientName", "a name"), ("patientname", "a name"), ("last_name", "a name"), ("patient_birth_date", "a birth date"),
        ("DOB", "a birth date"), ("patientbirthdate", "a birth date"), ("study_date", "a date"),
        ("AccessionNumber", "an accession number"), ("mrn", "a record number"), ("Study ID", "a record number"),
        ("patient_address", "an address"), ("zip", "an address"), ("Phone", "a telephone number or e-mail address"),
        ("e-mail", "a telephone number or e-mail address"), ("referring_physician", "a member of staff"),
        ("Reader", "a member of staff"), ("reading_radiologist", "a member of staff"), ("Operator", "a member of staff"),
        ("comment", "free text"), ("clinical_notes", "free text"), ("PatientRemarks", "free text"),
    ],
)  # fmt: skip
def test_columns_that_would_name_a_person(column: str, kind: str) -> None:
    assert identifying_name(column) == kind


@pytest.mark.parametrize(
    "column", ["country", "scanner", "race", "site_name", "ManufacturerModelName", "site_id", "birth_weight", "ward", "update"]
)
def test_columns_that_would_not(column: str) -> None:
    assert identifying_name(column) is None


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["DOE^JOHN", "left", "right"], "names (A^B)"),
        (["2017-01-02", "03.04.2018"], "dates"),
        (["19770101", "19800202"], "dates"),
        (["a@b.org", "none", "none"], "e-mail addresses"),
        (["+49 221 123456", "0221/123456"], "telephone numbers"),
        (["1234567", "P006007"], "long numbers"),
        (["Schmidt, Anna", "Müller, Jörg", "unknown"], "names (Family, Given)"),
        (["fell from the stairs yesterday", "no complaint at all, control", "cough for three weeks"] * 40, "sentences"),
        ([f"case {n}" for n in range(30)], "30 different texts, so it is no group"),
    ],
)
def test_contents_that_point_to_a_person(values: list[str], kind: str) -> None:
    assert identifying_content(pd.Series(values, dtype="str")) == kind


@pytest.mark.parametrize(
    "values",
    [
        [
            "White",
            "Asian",
            "Black or African American",
            "American Indian or Alaska Native",
            "Native Hawaiian or Pacific Islander",
        ],
        ["Koeln, Nord", "Wing A, 2nd floor", "Bonn"],
        ["White", "Black"],
        ["2017", "2018"],
        ["3056", "2544"],
        ["GE MEDICAL SYSTEMS"],
        [f"{n / 7:.3f}" for n in range(900)],
        [],
    ],
)
def test_contents_that_do_not(values: list[str]) -> None:
    assert identifying_content(pd.Series(values, dtype="str")) is None


def test_a_name_in_one_comment_is_one_too_many() -> None:
    values = pd.Series(["ok"] * 5000 + ["called DOE^JANE"], dtype="str")
    assert identifying_content(values) == "names (A^B)"
