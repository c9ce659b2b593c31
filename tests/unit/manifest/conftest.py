from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from medclassify.manifest import CORE_COLUMNS, Manifest, PatientHasher
from medclassify.records import InstanceHeader


def make_header(path: str, **facts: object) -> InstanceHeader:
    """A header as a picture has it; name what differs."""
    plain = {
        "sop_uid": "", "study_uid": "", "series_uid": "", "patient_key": "", "modality": "", "photometric": "MONOCHROME2",
        "rows": 8, "columns": 8, "frames": 1, "bits_stored": 8, "transfer_syntax": "", "spacing_mm": None, "spacing_source": "",
        "view": "", "laterality": "", "site": "", "manufacturer": "", "sex": "", "age_years": None, "burned_in": False,
    }  # fmt: skip
    return InstanceHeader(path=path, **{**plain, **facts})  # type: ignore[arg-type]


def make_manifest(rows: list[dict[str, object]], findings: tuple[str, ...] = ("effusion",)) -> Manifest:
    """A manifest of rows that name only what matters; sample ids count up."""
    frame = pd.DataFrame(rows)
    frame["sample_id"] = frame.get("sample_id", pd.Series([f"s{number:06d}" for number in range(len(frame))]))
    for name in CORE_COLUMNS:
        values = frame[name] if name in frame.columns else pd.Series([None] * len(frame))
        frame[name] = values.astype("float64" if name == "age" else "str")
    for name in findings:
        frame[name] = frame[name].astype("Int8")
    rest = [name for name in frame.columns if name not in CORE_COLUMNS and name not in findings]
    return Manifest(frame[[*CORE_COLUMNS, *rest, *findings]], findings, "labels.csv", "generic")


@pytest.fixture
def hasher(tmp_path: Path) -> PatientHasher:
    return PatientHasher(tmp_path / "patient.key")


@pytest.fixture
def header() -> Callable[..., InstanceHeader]:
    return make_header


@pytest.fixture
def manifest_of() -> Callable[..., Manifest]:
    return make_manifest


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a text file into the test's folder."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
