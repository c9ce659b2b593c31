import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from medclassify.errors import ManifestError, StorageError
from medclassify.manifest import PatientHasher
from medclassify.manifest.patients import is_patient_hash, link_patients, normalise_patient_key


@pytest.mark.parametrize("spelling", ["61", " 61 ", "00061", "61.0", "６１"])
def test_spellings_of_one_number_are_one_patient(spelling: str, hasher: PatientHasher) -> None:
    assert hasher.hash(spelling) == hasher.hash("61")


def test_case_and_blanks_do_not_part_a_patient(hasher: PatientHasher) -> None:
    assert hasher.hash(" nih  0061") == hasher.hash("NIH 0061")


@pytest.mark.parametrize(("one", "other"), [("61", "610"), ("P61", "P061"), ("6.1", "61"), ("61", "61.5"), ("0", "10")])
def test_different_ids_stay_different(one: str, other: str, hasher: PatientHasher) -> None:
    assert hasher.hash(one) != hasher.hash(other)


def test_zeros_alone_are_an_id() -> None:
    assert normalise_patient_key("000") == "0"


def test_a_hash_is_16_hexadecimal_digits_and_not_the_id(hasher: PatientHasher) -> None:
    assert is_patient_hash(hasher.hash("61"))
    assert not is_patient_hash("NIH00061")


def test_the_key_decides_the_hash(tmp_path: Path) -> None:
    assert PatientHasher(tmp_path / "a.key").hash("61") != PatientHasher(tmp_path / "b.key").hash("61")


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "patient.key"
    first = PatientHasher(file).hash("61")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PatientHasher(file).hash("61") == first
    assert [path.name for path in file.parent.iterdir()] == ["patient.key"]


def test_many_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        hashes = set(pool.map(lambda _: PatientHasher(tmp_path / "patient.key").hash("61"), range(16)))
    assert len(hashes) == 1


def test_the_key_file_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCLASSIFY_KEY_FILE", str(tmp_path / "elsewhere.key"))
    assert PatientHasher().key_file == tmp_path / "elsewhere.key"
    monkeypatch.delenv("MEDCLASSIFY_KEY_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert PatientHasher().key_file == tmp_path / ".config" / "medclassify" / "patient.key"


@pytest.mark.parametrize("content", [b"", b"secret\n", b"\xff\xfe", b"0" * 63])
def test_a_spoilt_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "patient.key").write_bytes(content)
    with pytest.raises(ManifestError, match=r"patient\.key: not a patient key .* Put back the key"):
        PatientHasher(tmp_path / "patient.key")


def test_a_key_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="MEDCLASSIFY_KEY_FILE"):
        PatientHasher(tmp_path / "file" / "patient.key")


@pytest.mark.parametrize("blank", ["", "  ", "\u00a0"])
def test_a_blank_id_is_refused(blank: str, hasher: PatientHasher) -> None:
    with pytest.raises(ManifestError, match="blank cannot be hashed"):
        hasher.hash(blank)


def test_a_column_is_hashed_and_blanks_stay_missing(hasher: PatientHasher) -> None:
    hashed = hasher.hash_all(pd.Series(["61", None, "0061", " "], dtype="str"))
    assert hashed[0] == hashed[2] == hasher.hash("61")
    assert hashed.isna().tolist() == [False, True, False, True]


def test_a_stand_in_is_never_a_patient(hasher: PatientHasher) -> None:
    uid = pd.Series(["1.2.3"], dtype="str")
    assert len({hasher.hash("1.2.3"), hasher.hash_stand_ins("study", uid)[0], hasher.hash_stand_ins("image", uid)[0]}) == 3


def test_ids_that_share_something_become_one_through_a_chain() -> None:
    ids = pd.Series(["d", "c", "c", "b", "a", "e"], dtype="str")
    image = pd.Series(["1", "1", "2", "3", "4", None], dtype="str")
    study = pd.Series(["x", "y", "z", "z", "w", None], dtype="str")
    assert link_patients(ids, [image, study]).tolist() == ["b", "b", "b", "b", "a", "e"]


def test_ids_that_share_nothing_stay() -> None:
    ids = pd.Series(["a", "b"], dtype="str")
    assert link_patients(ids, [pd.Series([None, None], dtype="str")]).tolist() == ["a", "b"]


def test_a_new_uid_is_a_uuid_of_the_key_and_the_old_uid(tmp_path: Path) -> None:
    hasher, other = PatientHasher(tmp_path / "a.key"), PatientHasher(tmp_path / "b.key")
    new = hasher.new_uid("1.2.840.99.1")
    assert new == hasher.new_uid("1.2.840.99.1 ") == PatientHasher(tmp_path / "a.key").new_uid("1.2.840.99.1")
    assert len({new, hasher.new_uid("1.2.840.99.2"), other.new_uid("1.2.840.99.1")}) == 3
    assert new.startswith("2.25.") and len(new) <= 64
    made = uuid.UUID(int=int(new.removeprefix("2.25.")))
    assert made.variant == uuid.RFC_4122 and made.hex[12] == "8"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_told(tmp_path: Path, mode: int) -> None:
    hasher = PatientHasher(tmp_path / "patient.key")
    assert hasher.warning == ""
    hasher.key_file.chmod(mode)
    assert f"mode {mode:04o}" in hasher.warning and f"chmod 600 {hasher.key_file}" in hasher.warning


@pytest.mark.parametrize("spelling", ["61^^^", " 00061^", "61 ^ ^", "61.0^^"])
def test_empty_parts_at_the_end_of_an_id_do_not_count(spelling: str) -> None:
    assert normalise_patient_key(spelling) == "61"


def test_parts_that_say_something_keep_patients_apart() -> None:
    spellings = ("61^^^A", "61^^^B", "^61", "6^1", "DOE^JOHN", "DOE^JANE")
    assert len({normalise_patient_key(spelling) for spelling in spellings}) == len(spellings)
    assert normalise_patient_key("doe ^ john^^") == "DOE^JOHN"


def test_spellings_are_told_apart_without_being_kept(tmp_path: Path) -> None:
    hasher, other = PatientHasher(tmp_path / "a.key"), PatientHasher(tmp_path / "b.key")
    ids = pd.Series(["61", "061", None, "61"], dtype="str")
    numbers = hasher.spellings(ids).tolist()
    assert numbers[0] == numbers[3] != numbers[1] and numbers[2] == 0
    assert other.spellings(ids).tolist()[0] != numbers[0]
    assert hasher.fingerprint == PatientHasher(tmp_path / "a.key").fingerprint != other.fingerprint
