"""Patients who withdrew consent: told by a config, a run or a person, and left out by every verb."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medclassify.config import Config, load_config
from medclassify.errors import ConfigError, ManifestError
from medclassify.manifest import Manifest, PatientHasher, is_patient_hash, without_patients
from medclassify.manifest.identity import PATIENT_EXCLUDED
from medclassify.records import Exclusion, Split
from medclassify.runs import RunLayout
from medclassify.workflows.console import say, warn

NOT_PROVIDED = "NOT PROVIDED"
_HASH = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Whom a verb must leave out; hashes only.

    Attributes:
        asked: Named by a person now.
        known: Left out by the run already, under every id that it knew of them.
        hasher: The one that made the hashes.
    """

    asked: tuple[str, ...]
    known: tuple[str, ...]
    hasher: PatientHasher

    @classmethod
    def of(cls, entries: Sequence[str], run: RunLayout | None = None) -> "Withdrawn":
        """Those of ``--exclude-patients``, and those whom the run's config leaves out.

        Args:
            entries: As for `hashed`.
            run: A finished run. Where it has seen patients who are named only now, that is said.
        """
        hasher = patient_hasher()
        withdrawn = cls(hashed(entries, hasher), _left_out_by(run) if run else (), hasher)
        if run and withdrawn.asked:
            _tell_what_the_run_holds(run, withdrawn)
        return withdrawn

    @property
    def everyone(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.asked, *self.known)))

    def leave_out(self, manifest: Manifest) -> tuple[Manifest, list[Exclusion]]:
        """The manifest without them, and one exclusion an image; how many they are is printed.

        Raises:
            ManifestError: Nobody is left.
        """
        rest, exclusions, _ = without_patients(manifest, self.everyone, self.hasher)
        self.tell(exclusions)
        return rest, exclusions

    def leave_out_rows(self, table: pd.DataFrame, source: str) -> pd.DataFrame:
        """A predictions table without them; its patient ids may be hashes, or ids as anyone writes them.

        Raises:
            ManifestError: The table names no patients, or nobody is left.
        """
        if not self.everyone:
            return table
        if "patient_id" not in table:
            raise ManifestError(f"{source}: has no column patient_id, so nobody can be left out. Add it, or drop these rows.")
        ids = table["patient_id"].astype("str").str.strip()
        wanted = {*self.everyone, *map(self.hasher.hash, self.everyone)}
        out = ids.isin(wanted) | self.hasher.hash_all(ids).isin(wanted)
        if out.all():
            raise ManifestError(f"{source}: no row is left without the {ids.nunique()} excluded patients.")
        count = int(table["sample_id"][out].nunique() if "sample_id" in table else out.sum())
        self._tell(ids[out].nunique(), count, "samples", {*ids[out], *self.hasher.hash_all(ids[out])})
        return table[~out].reset_index(drop=True)

    def tell(self, exclusions: Sequence[Exclusion]) -> None:
        """Prints how many patients are among the exclusions of a manifest, and warns of names that fit nobody."""
        details = _details(exclusions)
        self._tell(len(set(details)), len(details), "images", set(_HASH.findall(" ".join(details))))

    def _tell(self, patients: int, count: int, what: str, ids: set[str]) -> None:
        if count:
            say(f"patients left out on request: {patients}, with {count} {what}.")
        absent = [n for n, name in enumerate(self.asked, start=1) if not ids & {name, self.hasher.hash(name)}]
        if absent:
            warn(
                f"{len(absent)} of {len(self.asked)} patients of --exclude-patients have no image here (first: entry "
                f"{absent[0]}). If they should have, name them by their other id (of labels or headers), or by their hash."
            )


def patient_hasher() -> PatientHasher:
    """The site's hasher; a key that others may read is warned of."""
    hasher = PatientHasher()
    if hasher.warning:
        warn(hasher.warning)
    return hasher


def hashed(entries: Sequence[str], hasher: PatientHasher) -> tuple[str, ...]:
    """Excluded patients as hashes, so that nothing that is written or printed names them.

    Args:
        entries: Ids as labels or headers write them, in any spelling; hashes; or ``@FILE``: a text file with one of these a
            line. Sixteen digits are an id, not a hash: read as a hash, an id would stay in the open.
        hasher: Hashes ids.

    Returns:
        One hash an entry, in order, each once; blanks are passed over.

    Raises:
        ConfigError: A file cannot be read.
    """
    names = [name.strip() for entry in entries for name in (_listed(Path(entry[1:])) if entry.startswith("@") else [entry])]
    return tuple(
        dict.fromkeys(name if is_patient_hash(name) and not name.isdigit() else hasher.hash(name) for name in names if name)
    )


def without_ids(config: Config) -> Config:
    """The config with excluded patients by hash: it is written to the run and printed, and may not name them."""
    return replace(config, data=replace(config.data, exclude_patients=hashed(config.data.exclude_patients, patient_hasher())))


def excluded_patients(exclusions: Sequence[Exclusion]) -> int:
    """How many patients were left out on request."""
    return len(set(_details(exclusions)))


def data_statements(config: Config) -> dict[str, str]:
    """Licence and consent of the data, as provenance and report print them."""
    return {"licence": config.data.licence or NOT_PROVIDED, "consent": config.data.consent or NOT_PROVIDED}


def _details(exclusions: Sequence[Exclusion]) -> list[str]:
    """One line an image; it names all ids of its patient, so it is the same for all images of one."""
    return [exclusion.detail for exclusion in exclusions if exclusion.reason == PATIENT_EXCLUDED]


def _listed(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(
            f"@{path}: the list of excluded patients cannot be read ({reason}). Name a text file with one id a line."
        ) from error


def _left_out_by(run: RunLayout) -> tuple[str, ...]:
    """The config's list, and from ``exclusions.csv`` the other ids under which these patients are known."""
    names = dict.fromkeys(load_config(run.config).data.exclude_patients)
    if run.exclusions.is_file():
        with open(run.exclusions, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["reason"] == PATIENT_EXCLUDED:
                    names.update(dict.fromkeys(_HASH.findall(row["detail"])))
    return tuple(names)


def _tell_what_the_run_holds(run: RunLayout, withdrawn: Withdrawn) -> None:
    """A finished run cannot be made to forget: it is fitted again."""
    seen = pd.read_parquet(run.manifest, columns=["patient_id", "split"])
    wanted = {*withdrawn.asked, *map(withdrawn.hasher.hash, withdrawn.asked)}
    seen = seen[seen["patient_id"].isin(wanted)]
    if seen.empty:
        return
    learnt = seen["patient_id"][seen["split"] != Split.TEST].nunique()
    warn(
        f"{run.root} was made with {seen['patient_id'].nunique()} of these patients, {learnt} of them in what the model learnt "
        f"from; its files still hold them. Fit it again with data.exclude_patients."
    )
