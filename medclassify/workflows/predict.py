"""Scores new images with a finished run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medclassify.errors import ManifestError
from medclassify.manifest import Manifest, keep_samples, read_manifest, unlabelled_manifest, write_exclusions
from medclassify.records import Exclusion
from medclassify.runs import atomic_path
from medclassify.workflows.checks import finished_run, require_sources, require_table_name
from medclassify.workflows.consent import Withdrawn
from medclassify.workflows.console import say, warn
from medclassify.workflows.dataset import prepare
from medclassify.workflows.headers import read_headers
from medclassify.workflows.index import report_exclusions
from medclassify.workflows.modalities import keep_learnt
from medclassify.workflows.scoring import Scorer


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Scores of new images.

    Attributes:
        predictions: The predictions table; targets are missing.
        files: Which file a sample is: columns ``sample_id`` and ``path``, in the order of the sources.
        exclusions: Files that could not be scored, each with its reason.
        out: Where the table was written.
    """

    predictions: pd.DataFrame
    files: pd.DataFrame
    exclusions: tuple[Exclusion, ...]
    out: Path


def predict(run_folder: Path, sources: Sequence[str], out: Path, exclude_patients: Sequence[str] = ()) -> Predicted:
    """Scores files, folders or a manifest; what cannot be read is listed beside the table, and the rest is scored.

    Args:
        run_folder: A finished run.
        sources: Images, folders, or one manifest.
        out: ``.parquet`` or ``.csv``.
        exclude_patients: Patients who withdrew consent, besides those whom the run's config leaves out.

    Raises:
        MedclassifyError: The run, the sources or the output name is not usable.
    """
    run = finished_run(run_folder)
    require_table_name(out)
    require_sources(sources)
    scorer = Scorer.of_run(run.model)
    if scorer.bundle.synthetic:
        warn("this model learnt from SYNTHETIC images: its probabilities mean nothing for patients")
    manifest, unreadable = samples_of(sources, Withdrawn.of(exclude_patients, run))
    manifest, foreign = keep_learnt(manifest, scorer.bundle.modalities)
    store, broken = prepare(manifest, scorer.bundle.preprocessing)
    exclusions = (*unreadable, *foreign, *broken)
    report_exclusions(exclusions)
    manifest = keep_samples(manifest, store.index["sample_id"])
    predictions = scorer.table(manifest, store, attributes=("sex", "age_band", "view", "site"))
    write_table(predictions, out)
    # Which file a sample is, apart from its scores: a path may name a patient, and scores are passed on.
    files = manifest.frame[["sample_id", "path"]]
    write_table(files, out.with_suffix(".files.csv"))
    write_exclusions(out.with_suffix(".exclusions.csv"), exclusions)
    say(f"scored {len(manifest)} image{'' if len(manifest) == 1 else 's'} for {', '.join(scorer.bundle.findings)}")
    return Predicted(predictions, files, exclusions, out)


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Writes Parquet or CSV, by the name's suffix, whole or not at all."""
    with atomic_path(out) as temporary:
        if out.suffix == ".parquet":
            table.to_parquet(temporary)
        else:
            table.to_csv(temporary, index=False)


def samples_of(sources: Sequence[str], withdrawn: Withdrawn) -> tuple[Manifest, list[Exclusion]]:
    """The images that a verb was pointed at, in that order, as a manifest without labels, and what was left out of it."""
    first = Path(sources[0])
    if len(sources) == 1 and first.suffix in (".parquet", ".csv") and first.is_file():
        return withdrawn.leave_out(read_manifest(first))
    folders = [Path(source) for source in sources]
    headers, unreadable = read_headers(folders, withdrawn.hasher)
    if headers.empty:
        many = "the file" if len(unreadable) == 1 else f"none of the {len(unreadable)} files"
        can = "cannot" if len(unreadable) == 1 else "can"
        raise ManifestError(f"no image: {many} {can} be read: {unreadable[0].detail}")
    manifest, left_out = unlabelled_manifest(headers, withdrawn.hasher, exclude_patients=withdrawn.everyone, sources=folders)
    withdrawn.tell(left_out)
    return _in_order(manifest, folders), [*unreadable, *left_out]


def _in_order(manifest: Manifest, sources: Sequence[Path]) -> Manifest:
    """Samples in the order of the sources that name them, and by path below a folder."""
    place: dict[str, int] = {}
    for number, source in enumerate(sources):  # a DICOMDIR stands for what lies below its folder
        source = source.parent if source.name.upper() == "DICOMDIR" else source
        place.setdefault(Path(os.path.abspath(source)).as_posix(), number)

    def position(path: str) -> int:
        names = (path, *(parent.as_posix() for parent in Path(path).parents))
        return min((place[name] for name in names if name in place), default=len(sources))

    order = manifest.frame["path"].map(position).argsort(kind="stable")
    return replace(manifest, frame=manifest.frame.iloc[order].reset_index(drop=True))
