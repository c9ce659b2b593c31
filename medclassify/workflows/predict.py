"""Scores new images with a finished run, here or on a cluster."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import medclassify
from medclassify.calibration import PrevalenceShift, prevalence_shifts
from medclassify.errors import ManifestError, RunError
from medclassify.manifest import Manifest, is_of_series, read_manifest, unlabelled_manifest, write_exclusions
from medclassify.records import Exclusion
from medclassify.runs import RunLayout, one_works, write_json
from medclassify.workflows.checks import finished_run, require_sources, require_table_name
from medclassify.workflows.cluster import Cluster, connect
from medclassify.workflows.consent import Withdrawn
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.headers import ReadBatches, read_headers, read_here
from medclassify.workflows.index import report_exclusions
from medclassify.workflows.modalities import keep_learnt
from medclassify.workflows.on_cluster import read_on, score_on
from medclassify.workflows.predictions import predictions_table
from medclassify.workflows.score_pieces import ScoredPiece, pieces_of, read_scores, score_here
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.stacks import in_words
from medclassify.workflows.tables import TableWriter, growing_table, write_table

_SHOWN = 20
_ATTRIBUTES = ("sex", "age_band", "view", "site")


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Scores of new images.

    Attributes:
        first: The first rows of the predictions table; targets are missing.
        rows: How many the table has.
        files: Which file a sample is: columns ``sample_id`` and ``path``, in the order of the sources.
        of_series: Samples are series; the file is the middle slice.
        exclusions: Files that could not be scored, each with its reason.
        out: Where the table was written.
    """

    first: pd.DataFrame
    rows: int
    files: pd.DataFrame
    of_series: bool
    exclusions: tuple[Exclusion, ...]
    out: Path


def predict(
    run_folder: Path,
    sources: Sequence[str],
    out: Path,
    exclude_patients: Sequence[str] = (),
    scheduler: str | None = None,
    prevalence: Mapping[str, float] | None = None,
) -> Predicted:
    """Scores files, folders or a manifest; what cannot be read is listed beside the table, and the rest is scored.

    Scores are kept in pieces beside the table until it is written, so that the same call goes on after a stop.

    Args:
        run_folder: A finished run.
        sources: Images, folders, or one manifest.
        out: ``.parquet`` or ``.csv``.
        exclude_patients: Patients who withdrew consent, besides those whom the run's config leaves out.
        scheduler: Address of a Dask scheduler whose workers read, decode and score; this machine when left out.
        prevalence: Finding → prevalence where the images come from, to correct probabilities for; what the run's config
            declared when left out, and nothing for an empty one.

    Raises:
        MedclassifyError: The run, the sources or the output name is not usable; or a worker cannot do its part.
    """
    run = finished_run(run_folder)
    require_table_name(out)
    require_sources(sources)
    pieces = out.with_name(f".{out.name}.pieces")
    lock = one_works(out.with_name(f".{out.name}.lock"), lambda: False, str(out), say)
    with connect(scheduler) if scheduler else nullcontext() as cluster, lock, kept_pieces(pieces):
        return _predict(run, sources, out, exclude_patients, pieces, cluster, prevalence)


def _predict(
    run: RunLayout,
    sources: Sequence[str],
    out: Path,
    exclude_patients: Sequence[str],
    folder: Path,
    cluster: Cluster | None,
    prevalence: Mapping[str, float] | None,
) -> Predicted:
    scorer = Scorer.of_run(run.model)
    shifts = prevalence_shifts(scorer.calibrator, scorer.bundle.prevalence if prevalence is None else prevalence)
    for shift in shifts:
        warn(shift.note)
    for warning in scorer.calibrator.warnings:
        warn(warning)
    if scorer.bundle.synthetic:
        warn("this model learnt from SYNTHETIC images: its probabilities mean nothing for patients")
    read = partial(read_on, cluster, folder) if cluster else read_here
    manifest, left_out = samples_for(scorer, sources, Withdrawn.of(exclude_patients, run), read)
    pieces = pieces_of(manifest, scorer, folder)
    if before := sum(piece.stop - piece.start for piece in pieces if piece.path.exists()):
        say(f"going on: {before} of {in_words(manifest, scorer.bundle.preprocessing)} were scored by an earlier call")
    with progress("scoring") as move:
        if cluster:
            score_on(cluster, run.model, pieces, scorer, move)
        else:
            score_here(pieces, scorer, move)
    writer, kept, broken = _write_scores(pieces, manifest, scorer, shifts, out)
    exclusions = (*left_out, *broken)
    report_exclusions(exclusions)
    # Which file a sample is, apart from its scores: a path may name a patient, and scores are passed on.
    files = manifest.frame.loc[kept, ["sample_id", "path"]].reset_index(drop=True)
    write_table(files, out.with_suffix(".files.csv"))
    write_exclusions(out.with_suffix(".exclusions.csv"), exclusions)
    write_json(out.with_suffix(".provenance.json"), _origin(scorer, shifts, writer.rows))
    scored = in_words(replace(manifest, frame=manifest.frame[kept]), scorer.bundle.preprocessing, unread=broken)
    say(f"scored {scored} for {', '.join(scorer.bundle.findings)}")
    return Predicted(writer.first, writer.rows, files, is_of_series(manifest), exclusions, out)


def _origin(scorer: Scorer, shifts: Sequence[PrevalenceShift], rows: int) -> dict[str, Any]:
    """What made a predictions table: the model, what decides, and every correction."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": medclassify.__version__,
        "model_sha256": scorer.bundle.fingerprint,
        "decisions_sha256": scorer.bundle.decisions_sha256,
        "conformal_alpha": scorer.rules[0].alpha if scorer.rules else None,
        "prevalence_correction": [{**shift.to_json(), "note": shift.note} for shift in shifts],
        "synthetic": scorer.bundle.synthetic,
        "rows": rows,
    }


def _write_scores(
    pieces: Sequence[ScoredPiece], manifest: Manifest, scorer: Scorer, shifts: Sequence[PrevalenceShift], out: Path
) -> tuple[TableWriter, NDArray[np.bool_], list[Exclusion]]:
    """The table, a piece at a time; which samples stand in it; and why the others do not."""
    kept, broken = np.zeros(len(manifest), np.bool_), []
    with growing_table(out, _SHOWN) as writer:
        for piece, (rows, logits, exclusions) in zip(pieces, read_scores(pieces, manifest, scorer), strict=True):
            kept[piece.start : piece.stop] = manifest.frame["sample_id"].iloc[piece.start : piece.stop].isin(rows["sample_id"])
            broken += exclusions
            part = replace(manifest, frame=rows)
            raw, calibrated = scorer.probabilities(logits)
            given = (part, logits, raw, calibrated, scorer.points, scorer.rules, shifts)
            table = predictions_table(*given, attributes=_ATTRIBUTES)
            writer.add(table.astype({"target": "float64", "split": "str"}))  # whatever stands in this piece
        if not kept.any():
            shutil.rmtree(pieces[0].path.parent, ignore_errors=True)
            many = f"nothing of {in_words(manifest, scorer.bundle.preprocessing)} could be read (first: {broken[0].detail})"
            raise ManifestError(f"{many}. Check the files, or leave them out.")
    unread = len(broken) if manifest.slices is None else int((~kept).sum())  # a series goes on without an unreadable slice
    if kept.sum() + unread != len(manifest) or writer.rows != kept.sum() * len(scorer.bundle.findings):
        raise RunError(f"{out}: not every sample was scored once ({writer.rows} rows). Please report it.")
    return writer, kept, broken


@contextmanager
def kept_pieces(folder: Path) -> Iterator[None]:
    """Removes the pieces once the table is written; where it is not, says what is kept and how to go on."""
    try:
        yield
    except BaseException as error:
        done = len(list(folder.glob("*/*.npz")))
        if not done:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        hint = f"{done} finished pieces are kept in {folder}: the same command goes on from there, or remove them."
        if isinstance(error, KeyboardInterrupt):
            raise RunError(f"stopped. {hint}") from error
        say(hint)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def samples_for(
    scorer: Scorer, sources: Sequence[str], withdrawn: Withdrawn, read: ReadBatches = read_here
) -> tuple[Manifest, list[Exclusion]]:
    """What a verb was pointed at, in that order, as samples of a model without labels, and what was left out of it."""
    manifest, unreadable = _found(sources, withdrawn, read)
    manifest, foreign = keep_learnt(manifest, scorer.bundle.modalities)
    manifest, apart = scorer.take(manifest)
    return _in_order(manifest, [Path(source) for source in sources]), [*unreadable, *foreign, *apart]


def _found(sources: Sequence[str], withdrawn: Withdrawn, read: ReadBatches) -> tuple[Manifest, list[Exclusion]]:
    first = Path(sources[0])
    if len(sources) == 1 and first.suffix in (".parquet", ".csv") and first.is_file():
        return withdrawn.leave_out(read_manifest(first))
    folders = [Path(source) for source in sources]
    headers, unreadable = read_headers(folders, withdrawn.hasher, read)
    if headers.empty:
        many = "the file" if len(unreadable) == 1 else f"none of the {len(unreadable)} files"
        can = "cannot" if len(unreadable) == 1 else "can"
        raise ManifestError(f"no image: {many} {can} be read: {unreadable[0].detail}")
    manifest, left_out = unlabelled_manifest(headers, withdrawn.hasher, exclude_patients=withdrawn.everyone, sources=folders)
    withdrawn.tell(left_out)
    return manifest, [*unreadable, *left_out]


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
