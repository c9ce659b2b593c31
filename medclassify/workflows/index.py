"""Files and labels to a manifest and a list of exclusions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from medclassify.config import DataConfig
from medclassify.manifest import (
    Manifest,
    PatientHasher,
    build_manifest,
    join_boxes,
    keep_findings,
    read_boxes,
    read_labels,
    read_manifest,
    without_patients,
    write_boxes,
    write_exclusions,
    write_manifest,
)
from medclassify.manifest.matching import NO_IMAGE, NO_LABEL
from medclassify.phantom import kind_of, render_dataset
from medclassify.records import Exclusion
from medclassify.workflows.cache import cache_folder
from medclassify.workflows.checks import PHANTOM, TABLES, locate_labels, require_table_name
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.headers import read_headers
from medclassify.workflows.stacks import in_stacks_of


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """What a source holds.

    Attributes:
        manifest: One row a sample; splits only where the source had them.
        exclusions: What did not become a sample.
        synthetic: The images are rendered.
        boxes: Boxes around findings that came with the labels (``join_boxes``), or None.
    """

    manifest: Manifest
    exclusions: list[Exclusion]
    synthetic: bool
    boxes: pd.DataFrame | None = None


def index(
    sources: Sequence[str], labels: str, *, out: Path, label_format: str = "auto", exclude_patients: Sequence[str] = ()
) -> Indexed:
    """The verb: writes a manifest, and beside it ``<out>.exclusions.csv`` and, where there are any, ``<out>.boxes.parquet``."""
    require_table_name(out)
    data = DataConfig(source=sources[0], labels=labels, format=label_format, exclude_patients=tuple(exclude_patients))  # type: ignore[arg-type]
    indexed = index_files(data, [Path(source) for source in sources])
    write_manifest(indexed.manifest, out)
    write_boxes(out, indexed.boxes)
    write_exclusions(out.with_suffix(".exclusions.csv"), indexed.exclusions)
    return indexed


def index_data(data: DataConfig) -> Indexed:
    """Opens what ``data.source`` names: the phantom, a manifest, or files with labels.

    Raises:
        ManifestError: There are no images, or no label matches one.
        ConfigError: Labels are needed and not named.
    """
    source = Path(data.source)
    if data.source == PHANTOM:
        return _index_phantom(data)
    if source.suffix in TABLES and source.is_file():
        manifest, exclusions, notes = without_patients(read_manifest(source), data.exclude_patients, PatientHasher())
        for note in (f"manifest {source}: {len(manifest)} samples", *manifest.notes, *notes):
            say(note)
        report_exclusions(exclusions)
        manifest, apart = in_stacks_of(_choose(manifest, data), neighbours=data.neighbours, series=data.sample == "series")
        report_exclusions(apart)
        return Indexed(manifest, [*exclusions, *apart], synthetic=False, boxes=read_boxes(source))
    return index_files(data, [source])


def index_files(data: DataConfig, sources: Sequence[Path], *, synthetic: bool = False) -> Indexed:
    """Reads every header below the sources and joins the labels."""
    labels = read_labels(locate_labels(data.labels, sources), data.format, findings=data.findings)
    for note in labels.notes:  # before anything is joined: a wrong guess of the format must not stay unseen
        if note in labels.doubts:
            warn(note)
        else:
            say(f"  {note}")
    hasher = PatientHasher()
    headers, unreadable = read_headers(sources, hasher)
    manifest, exclusions = build_manifest(
        headers, labels, hasher, findings=data.findings, exclude_patients=data.exclude_patients, sources=sources
    )
    manifest, apart = in_stacks_of(manifest, neighbours=data.neighbours, series=data.sample == "series", files=headers)
    if manifest.slices is not None:  # a slice without a label is part of its stack all the same
        used = {*manifest.slices["path"], *(each.path for each in apart)}  # or has been left out for a better reason
        exclusions = [each for each in exclusions if not (each.reason == NO_LABEL and each.path in used)]
    boxes, box_notes = join_boxes(manifest, labels.boxes, headers) if labels.boxes else (None, [])
    manifest = replace(manifest, notes=(*manifest.notes, *box_notes))
    for note in manifest.notes[len(labels.notes) :]:
        say(f"  {note}")
    exclusions = [*unreadable, *_not_told_twice(exclusions, unreadable), *apart]
    say(
        f"manifest: {len(manifest)} samples of {manifest.frame['patient_id'].nunique()} patients, "
        f"{len(manifest.findings)} finding{'' if len(manifest.findings) == 1 else 's'}"
    )
    report_exclusions(exclusions)
    return Indexed(manifest, exclusions, synthetic, boxes)


def _not_told_twice(exclusions: Sequence[Exclusion], unreadable: Sequence[Exclusion]) -> list[Exclusion]:
    """Without label rows that find no image because theirs is there and cannot be read."""
    broken = {Path(each.path).stem for each in unreadable}
    for parts in (Path(each.path).parts for each in unreadable):
        broken |= {"/".join(parts[place:]) for place in range(len(parts))}
    return [each for each in exclusions if not (each.reason == NO_IMAGE and each.path in broken)]


def report_exclusions(exclusions: Sequence[Exclusion]) -> None:
    """One line a reason, with the first file as an example."""
    first: dict[str, Exclusion] = {}
    for exclusion in exclusions:
        first.setdefault(exclusion.reason, exclusion)
    for reason, count in Counter(exclusion.reason for exclusion in exclusions).most_common():
        warn(f"{count} left out: {reason} (first: {first[reason].detail})")


def _index_phantom(data: DataConfig) -> Indexed:
    folder = cache_folder() / "phantom"
    say(f"data: SYNTHETIC {kind_of(data.phantom).what} (data.source: phantom); rendered once, then cached")
    with progress("rendering images") as move:
        dataset = render_dataset(folder, data.phantom, move)
    phantom = DataConfig(
        source=str(dataset),
        labels=str(dataset / "labels.csv"),
        findings=data.findings,
        exclude_patients=data.exclude_patients,
        sample=data.sample,
        neighbours=data.neighbours,
    )
    return index_files(phantom, [dataset / "images"], synthetic=True)


def _choose(manifest: Manifest, data: DataConfig) -> Manifest:
    return manifest if data.findings is None else keep_findings(manifest, data.findings)
