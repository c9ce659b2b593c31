"""Which columns of a label file would name a person. They are never read into a manifest."""

import re

import pandas as pd

# HIPAA's list of identifiers (45 CFR 164.514(b)(2)), as far as they stand in label files; dates finer than a year among them.
_NAMES = {
    "a name": {"name", "firstname", "lastname", "surname", "forename", "initials"},
    "a birth date": {"birth", "birthdate", "birthday", "dob"},
    "a date": {"date", "datetime", "timestamp"},
    "an accession number": {"accession", "accessionnumber", "acc"},
    "a record number": {
        "mrn",
        "ssn",
        "nhs",
        "insurancenumber",
        "passport",
        "recordnumber",
        "id",
        "ids",
        "uid",
        "uuid",
        "guid",
        "hospitalnumber",
    },
    "an address": {"address", "street", "zip", "zipcode", "postcode", "postal"},
    "a telephone number or e-mail address": {"phone", "telephone", "tel", "mobile", "fax", "email", "mail"},
    "a member of staff": {
        "physician",
        "doctor",
        "radiologist",
        "operator",
        "referrer",
        "reader",
        "technician",
        "technologist",
        "consultant",
        "nurse",
    },
    # Few different ones may look like groups, and name somebody all the same.
    "free text": {"comment", "comments", "remark", "remarks", "note", "notes", "narrative", "impression", "anamnesis"},
}
# What else may have a name or a number of its own.
_THINGS = {"site", "institution", "hospital", "manufacturer", "model", "scanner", "device", "protocol", "view"}
_EXEMPT = {"a name": _THINGS, "a record number": _THINGS, "a birth date": {"weight", "length"}}
_CONTENT = {
    "names (A^B)": re.compile(r"[^\^]+\^[^\^]+.*"),
    "names (Family, Given)": re.compile(r"[^\W\d_][\w'-]+, ?[^\W\d_a-z][a-zß-ÿ]+(?: \w+\.?)?"),
    "sentences": re.compile(r"(?:\S+\s+){3,}\S+"),
    "dates": re.compile(r"(?:(?:19|20)\d{2}[-/.]?[01]\d[-/.]?[0-3]\d|[0-3]?\d[-/.][0-3]?\d[-/.](?:19|20)?\d{2})(?:[ T]\d.*)?"),
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]+"),
    "telephone numbers": re.compile(r"(?=(?:\D*\d){7,15}\D*$)(?:\+\d|\(?\d{2,5}\)?[-\s/]\s*\d{2,})[\d\s()/-]*"),
    "long numbers": re.compile(r"[A-Za-z]{0,3}\d{6,}"),
}
PATIENT_NAMES = ("patientid", "patient", "subject_id", "subject", "pid")
"""What a column ``patient_id`` is called by others, in lower case, words joined by underscores."""
_MOST = 0.5
# Of names of groups, some are long ("Black or African American"); of what is written freely, nearly all.
_LEAST = {"sentences": 2 / 3}
_MAX_TEXTS = 200
_SEEN = 5_000


def identifying_name(column: str) -> str | None:
    """What a column of this name would hold about a person, or None.

    Args:
        column: The column's name, in any case and spelling (``PatientName``, ``patient_birth_date``).

    Returns:
        The kind of identifier in words, e.g. ``a birth date``.
    """
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", column)} | {
        re.sub(r"[^a-z]|^patient", "", column.lower())
    }
    person = bool(words & {"patient", "person"})
    return next(
        (kind for kind, names in _NAMES.items() if words & names and (person or not words & _EXEMPT.get(kind, set()))), None
    )


def identifying_content(values: pd.Series) -> str | None:
    """What these values look like, where that could point to a person or a single record, or None.

    Args:
        values: str (N,), missing where blank.

    Returns:
        The reason in words, e.g. ``dates`` or ``212 different texts, so it is no group``.
    """
    counts = values.value_counts()
    seen = counts.index[:_SEEN].to_series().str.strip()
    for kind, pattern in _CONTENT.items():
        hits = seen.map(lambda text, pattern=pattern: pattern.fullmatch(text) is not None).to_numpy(dtype=bool)
        # One name among comments is one too many; a long number now and then is a measurement.
        if (
            hits.any()
            if kind in ("names (A^B)", "e-mail addresses")
            else hits.mean() > _LEAST.get(kind, _MOST)
            if len(hits)
            else False
        ):
            return kind
    numeric = pd.to_numeric(seen, errors="coerce").notna().mean() > _MOST if len(seen) else False
    if not numeric and len(counts) > min(_MAX_TEXTS, max(20, 0.2 * int(counts.sum()))):
        return f"{len(counts)} different texts, so it is no group"
    return None
