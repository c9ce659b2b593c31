"""Files and labels to a manifest and a list of exclusions."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from medclassify.config import DataConfig
from medclassify.dicom import find_images, read_header
from medclassify.errors import ConfigError, DicomError, ManifestError
from medclassify.manifest import (
    Manifest,
    PatientHasher,
    build_manifest,
    keep_findings,
    read_labels,
    read_manifest,
    without_patients,
    write_exclusions,
    write_manifest,
)
from medclassify.phantom import render_dataset
from medclassify.records import Exclusion, InstanceHeader
from medclassify.workflows.cache import cache_folder
from medclassify.workflows.console import progress, say, warn

PHANTOM = "phantom"
_MANIFESTS = (".parquet", ".csv")


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """What a source holds.

    Attributes:
        manifest: One row a sample; splits only where the source had them.
        exclusions: What did not become a sample.
        synthetic: The images are rendered.
    """

    manifest: Manifest
    exclusions: list[Exclusion]
    synthetic: bool


def index(
    sources: Sequence[str], labels: str, *, out: Path, label_format: str = "auto", exclude_patients: Sequence[str] = ()
) -> Indexed:
    """The verb: writes a manifest, and ``<out>.exclusions.csv`` beside it."""
    data = DataConfig(source=sources[0], labels=labels, format=label_format, exclude_patients=tuple(exclude_patients))  # type: ignore[arg-type]
    indexed = index_files(data, [Path(source) for source in sources])
    write_manifest(indexed.manifest, out)
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
    if source.suffix in _MANIFESTS and source.is_file():
        manifest, exclusions, notes = without_patients(read_manifest(source), data.exclude_patients, PatientHasher())
        for note in (f"manifest {source}: {len(manifest)} samples", *manifest.notes, *notes):
            say(note)
        report_exclusions(exclusions)
        return Indexed(_choose(manifest, data), exclusions, synthetic=False)
    return index_files(data, [source])


def index_files(data: DataConfig, sources: Sequence[Path], *, synthetic: bool = False) -> Indexed:
    """Reads every header below the sources and joins the labels."""
    if not data.labels:
        raise ConfigError(
            f"data.labels is not set, and {sources[0]} is not a manifest. Name the label table with --data.labels FILE."
        )
    labels = read_labels(_locate(data.labels, sources), data.format, findings=data.findings)
    for note in labels.notes:
        say(f"  {note}")  # before anything is joined: a wrong guess of the format must not stay unseen
    headers, unreadable = read_headers(sources)
    manifest, exclusions = build_manifest(
        headers, labels, PatientHasher(), findings=data.findings, exclude_patients=data.exclude_patients, sources=sources
    )
    for note in manifest.notes[len(labels.notes) :]:
        say(f"  {note}")
    exclusions = [*unreadable, *exclusions]
    say(
        f"manifest: {len(manifest)} samples of {manifest.frame['patient_id'].nunique()} patients, "
        f"{len(manifest.findings)} findings"
    )
    report_exclusions(exclusions)
    return Indexed(manifest, exclusions, synthetic)


def read_headers(sources: Sequence[Path]) -> tuple[list[InstanceHeader], list[Exclusion]]:
    """Reads the header of every image below the sources; a file that cannot be read is listed, and the rest goes on.

    Raises:
        ManifestError: There is not one image.
    """
    paths = find_images(sources)
    if not paths:
        raise ManifestError(f"{', '.join(map(str, sources))}: no DICOM, PNG or JPEG image found. Check the folder's name.")

    def one(path: Path) -> InstanceHeader | Exclusion:
        try:
            return read_header(path)
        except DicomError as error:
            return Exclusion(str(path), f"unreadable ({type(error).__name__})", str(error))

    results = []
    with ThreadPoolExecutor(2) as pool, progress("reading headers") as move:
        try:
            for done, result in enumerate(pool.map(one, paths), start=1):
                results.append(result)
                move(done, len(paths))
        finally:
            pool.shutdown(cancel_futures=True)
    headers = [result for result in results if isinstance(result, InstanceHeader)]
    return headers, [result for result in results if isinstance(result, Exclusion)]


def report_exclusions(exclusions: Sequence[Exclusion]) -> None:
    """One line a reason, with the first file as an example."""
    first: dict[str, Exclusion] = {}
    for exclusion in exclusions:
        first.setdefault(exclusion.reason, exclusion)
    for reason, count in Counter(exclusion.reason for exclusion in exclusions).most_common():
        warn(f"{count} left out: {reason} (first: {first[reason].detail})")


def _index_phantom(data: DataConfig) -> Indexed:
    folder = cache_folder() / "phantom"
    say("data: SYNTHETIC chest radiographs (no data.source named); rendered once, then cached")
    with progress("rendering radiographs") as move:
        dataset = render_dataset(folder, data.phantom, move)
    phantom = DataConfig(
        source=str(dataset), labels=str(dataset / "labels.csv"), findings=data.findings, exclude_patients=data.exclude_patients
    )
    return index_files(phantom, [dataset / "images"], synthetic=True)


def _locate(labels: str, sources: Sequence[Path]) -> Path:
    inside = [source / labels for source in sources if source.is_dir()]
    for candidate in (Path(labels), *inside):
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(path) for path in (Path(labels), *inside))
    raise ManifestError(f"no label table: looked for {looked}. Name it with --data.labels FILE.")


def _choose(manifest: Manifest, data: DataConfig) -> Manifest:
    return manifest if data.findings is None else keep_findings(manifest, data.findings)
