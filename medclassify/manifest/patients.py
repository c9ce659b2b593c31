"""Who a patient is: one spelling for an id, a keyed hash that stands in for it, and ids that turn out to be one person."""

import contextlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError, StorageError

_AROUND_CARET = re.compile(r" ?\^ ?")
_NUMBER = re.compile(r"0*(\d+)(?:\.0+)?")
_HASH = re.compile(r"[0-9a-f]{16}")
_KEY_BYTES = 32


def normalise_patient_key(patient_key: str) -> str:
    """Brings the spellings of one patient id together.

    The rule: Unicode NFKC, outer whitespace off, inner whitespace to one space, upper case; blanks around ``^`` and empty
    parts at the end go (``61^^^`` is ``61``: PS3.5 6.2.1 lets a writer leave them out); an id made of digits only also loses
    leading zeros and a trailing ``.0`` (what a spreadsheet makes of it). ``" 00061 "``, ``"61"`` and ``"61.0"`` are one
    patient; ``"P0061"`` and ``"P61"`` stay two, as do ``"61^^^A"`` and ``"61^^^B"``, the ids of two issuers.

    Args:
        patient_key: The id as written.

    Returns:
        The normal spelling; empty when there was nothing but whitespace.
    """
    text = " ".join(unicodedata.normalize("NFKC", patient_key).split()).upper()
    text = _AROUND_CARET.sub("^", text).rstrip("^")
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text


def is_patient_hash(text: str) -> bool:
    """Whether ``text`` has the form of a hashed id: 16 lower-case hexadecimal digits."""
    return _HASH.fullmatch(text) is not None


def default_key_file() -> Path:
    """``MEDCLASSIFY_KEY_FILE``, else ``~/.config/medclassify/patient.key``: outside of every run, so a run can be passed on."""
    named = os.environ.get("MEDCLASSIFY_KEY_FILE")
    return Path(named) if named else Path.home() / ".config" / "medclassify" / "patient.key"


class PatientHasher:
    """Replaces patient ids by the first 64 bits of HMAC-SHA256 (RFC 2104) under a secret key.

    Without the key nobody can find an id by trying all of them; with it, the same patient gets the same hash in every dataset
    of this key file, so exclusion lists and leakage checks go on working.

    Args:
        key_file: The key; made with 256 random bits and mode 0600 when it is not there. ``default_key_file()`` when left out.

    Raises:
        ManifestError: The file holds no key of 32 bytes in hexadecimal.
        StorageError: The file can be neither read nor made.
    """

    def __init__(self, key_file: Path | str | None = None) -> None:
        self.key_file = Path(key_file) if key_file is not None else default_key_file()
        self._key = _read_or_make_key(self.key_file)

    def hash(self, patient_key: str) -> str:
        """Hashes one id.

        Args:
            patient_key: The id as written; its normal spelling is hashed.

        Returns:
            16 hexadecimal digits.

        Raises:
            ManifestError: The id is blank: every patient without an id would become one.
        """
        normal = normalise_patient_key(patient_key)
        if not normal:
            raise ManifestError(
                "patient id: blank cannot be hashed, or all patients without an id would be one. Leave it missing."
            )
        return self._digest("patient", normal)

    def hash_all(self, patient_keys: pd.Series) -> pd.Series:
        """Hashes a column of ids (str); each distinct id once. Missing and blank stay missing."""
        known = {key: self.hash(key) for key in patient_keys.dropna().unique() if key.strip()}
        return patient_keys.map(known).astype("str")

    def spellings(self, patient_keys: pd.Series) -> pd.Series:
        """Numbers that are equal where ids are written alike: int64, 63 bits of the keyed hash; 0 where an id is missing."""
        known = {key: int(self._digest("spelling", key), 16) >> 1 for key in patient_keys.dropna().unique()}
        return patient_keys.map(known).fillna(0).astype("int64")

    @property
    def fingerprint(self) -> str:
        """Tells one key from another: 16 hexadecimal digits that say nothing about the key."""
        return self._digest("fingerprint", "")

    def hash_stand_ins(self, kind: str, values: pd.Series) -> pd.Series:
        """Hashes what stands in for a patient id (a study UID, a sample id), kept apart from real ids by its ``kind``."""
        return values.map({value: self._digest(kind, value) for value in values.dropna().unique()}).astype("str")

    def new_uid(self, uid: str) -> str:
        """The UID that stands in for a DICOM UID in a de-identified copy, the same for the same UID.

        A version 8 UUID (RFC 9562) of 122 bits of the keyed hash, as ``2.25.`` and a decimal number (PS3.5 annex B.2).
        """
        digest = bytearray(hmac.digest(self._key, f"uid\x1f{uid.strip()}".encode(), "sha256")[:16])
        digest[6] = 0x80 | digest[6] & 0x0F
        digest[8] = 0x80 | digest[8] & 0x3F
        return f"2.25.{int.from_bytes(digest)}"

    @property
    def warning(self) -> str:
        """One line where others than the owner may read or change the key; else empty."""
        mode = stat.S_IMODE(self.key_file.stat().st_mode)
        if os.name != "posix" or not mode & (stat.S_IRWXG | stat.S_IRWXO):
            return ""
        return (
            f"{self.key_file}: the patient key has mode {mode:04o}, so others can read or change it, and find out whom a "
            f"hashed id means. Run: chmod 600 {self.key_file}"
        )

    def _digest(self, kind: str, text: str) -> str:
        return hmac.digest(self._key, f"{kind}\x1f{text}".encode(), "sha256").hex()[:16]


def _read_or_make_key(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StorageError(
            f"{path}: the patient key cannot be read or made ({error.strerror or error}). "
            f"Name a file you may write in MEDCLASSIFY_KEY_FILE."
        ) from error
    except UnicodeDecodeError:
        text = ""
    if re.fullmatch(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}", text) is None:
        raise ManifestError(
            f"{path}: not a patient key (expected {2 * _KEY_BYTES} hexadecimal digits, received {len(text)} characters). "
            f"Put back the key, or remove the file to get a new one; hashed ids will then differ from earlier runs."
        )
    return bytes.fromhex(text)


def _make_key(path: Path) -> None:
    """Writes a key under a temporary name and links it in place, so that two processes end up with the same one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
        with contextlib.suppress(FileExistsError):
            try:
                os.link(temporary, path)
            except PermissionError:  # a file system without hard links
                os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def link_patients(patient_id: pd.Series, evidence: Iterable[pd.Series]) -> pd.Series:
    """Gives ids that share an image or a study one id, so that one person under two ids cannot stand in two splits.

    Args:
        patient_id: str (N,); no missing values.
        evidence: str (N,) columns (SOP UID, study UID) of which one value belongs to one person; missing values say nothing.

    Returns:
        str (N,): ids, where linked ids became the smallest of their group.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            name = parent[name]
        return name

    for column in evidence:
        pairs = pd.DataFrame({"patient": patient_id, "shared": column}).dropna().drop_duplicates()
        pairs = pairs[pairs["shared"].duplicated(keep=False)]
        for _, group in pairs.groupby("shared", sort=True)["patient"]:
            roots = sorted({root(name) for name in group})
            parent.update(dict.fromkeys(roots, roots[0]))
    linked = {name: root(name) for name in parent}
    return patient_id.map(linked).astype("str").fillna(patient_id) if linked else patient_id
