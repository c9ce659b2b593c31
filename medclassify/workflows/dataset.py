"""Indexed samples to a dataset that may be learnt from: split, prepared, and checked for leakage before anything learns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from medclassify.config import Config
from medclassify.data import PreparedDataset, PreparedStore, prepare_store
from medclassify.data.stacks import in_stacks
from medclassify.data.store import Decode, decode_here
from medclassify.errors import ManifestError
from medclassify.manifest import (
    LeakageReport,
    Manifest,
    assign_splits,
    check_leakage,
    check_splits,
    is_of_series,
    keep_samples,
    of_slices,
    own_slices,
    require_no_leakage,
)
from medclassify.models import backbone_name, preprocessing_of
from medclassify.records import Exclusion, Preprocessing, Split
from medclassify.workflows.alike import find_alike
from medclassify.workflows.cache import cache_folder
from medclassify.workflows.console import progress, say, warn
from medclassify.workflows.index import Indexed, report_exclusions


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Everything the network may see.

    Attributes:
        manifest: Every sample has a split and a row in the store.
        store: The prepared images.
        exclusions: What was left out, from the first file to the last check.
        leakage: What was checked across splits.
        warnings: Splits too small or one-sided for a figure that the report will lack.
        synthetic: The images are rendered.
    """

    manifest: Manifest
    store: PreparedStore
    exclusions: tuple[Exclusion, ...]
    leakage: LeakageReport
    warnings: tuple[str, ...]
    synthetic: bool

    def of_split(self, split: Split) -> PreparedDataset:
        """The samples of one split, with targets and mask."""
        part = self.manifest.of_split(split)
        targets, mask = part.targets()
        return PreparedDataset(self.store.images, self.store.rows(part.frame["sample_id"].tolist()), targets, mask)

    def of_slices(self) -> "Dataset":
        """The slices of series as samples of their own; those that could not be read are not there."""
        manifest = keep_samples(of_slices(self.manifest), self.store.index["sample_id"])
        return replace(self, manifest=manifest, store=replace(self.store, stacks={}))


def preprocessing_for(config: Config) -> Preprocessing:
    """What the config's network expects of its input.

    Raises:
        ConfigError: There is no such network, or a window is not known.
    """
    data, backbone = config.data, backbone_name(config.model.backbone, config.model.scale)
    return preprocessing_of(
        backbone, image_size=data.image_size, window=data.window, ct_windows=data.ct_windows, neighbours=data.neighbours
    )


def make_dataset(indexed: Indexed, config: Config, preprocessing: Preprocessing, decode: Decode = decode_here) -> Dataset:
    """Splits by patient, decodes once, and refuses to go on where a patient or picture crosses splits.

    Raises:
        LeakageError: A patient or an image is in two splits and no reason was given.
        SplitError: A split cannot be used.
        ManifestError: No image could be read.
    """
    manifest, data = indexed.manifest, config.data
    exclusions = list(indexed.exclusions)
    if config.data.task == "multiclass":
        manifest, ambiguous = one_finding_each(manifest)
        exclusions += ambiguous
        report_exclusions(ambiguous)
    split = partial(assign_splits, fractions=config.data.fractions, seed=config.seed_everything, mode=config.data.split)
    require_no_leakage(check_leakage(split(manifest)), config.data.allow_leakage)  # before minutes go into decoding
    store, unreadable = prepare(manifest, preprocessing, decode)
    report_exclusions(unreadable)
    manifest, leakage = _split_by_picture(keep_samples(manifest, store.sample_ids), store, split, compare=not data.ct_windows)
    require_no_leakage(leakage, config.data.allow_leakage)
    if config.data.allow_leakage and not leakage.clean:
        warn(f"patients or images cross splits, allowed because: {config.data.allow_leakage}")
    warnings = check_splits(manifest)
    counts = manifest.frame.groupby("split", observed=True).agg(
        images=("sample_id", "size"), patients=("patient_id", "nunique")
    )
    parts = [
        f"{split} {counts.loc[split, 'images']} ({counts.loc[split, 'patients']} patients)"
        for split in Split
        if split in counts.index
    ]
    say(f"splits: {', '.join(parts)}; leakage check {'clean' if leakage.clean else 'NOT CLEAN'}")
    for line in leakage.notes:
        say(f"  {line}")
    for line in warnings:
        warn(line)
    return Dataset(manifest, store, (*exclusions, *unreadable), leakage, tuple(warnings), indexed.synthetic)


def _split_by_picture(
    manifest: Manifest, store: PreparedStore, split: Callable[..., Manifest], *, compare: bool
) -> tuple[Manifest, LeakageReport]:
    """Splits by patient, and by picture where patients share one: a split that parts a picture's copies is drawn again.

    Two ids of one patient, most often; a published split is left as it is, and then refused. Slices of CT are compared by equal
    pixels alone: neighbours and two patients at one level are more alike than any two radiographs (docs/ct.md).
    """
    hashes = store.pixel_hashes()
    patients = dict(zip(manifest.frame["sample_id"], manifest.frame["patient_id"], strict=True))
    alike = find_alike(store, patients) if compare else None
    check = partial(check_leakage, pixel_hashes=hashes, alike=alike)
    drawn = split(manifest)
    leakage = check(drawn)
    if {finding.check for finding in leakage.findings} & {"pixel_hash", "near_duplicate"}:
        pairs = [(pair.first, pair.second) for pair in alike or ()] + _equal(hashes)
        again = split(manifest, together=pairs)
        if len((mended := check(again)).findings) < len(leakage.findings):
            note = f"patients whose images show one picture are kept in one split ({len(pairs)} pairs of images)"
            return again, replace(mended, notes=(note, *mended.notes))
    return drawn, leakage


def _equal(hashes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each sample with the first that has the same pixels."""
    first: dict[str, str] = {}
    return [(first[pixels], sample) for sample, pixels in hashes.items() if first.setdefault(pixels, sample) != sample]


def prepare(
    manifest: Manifest, preprocessing: Preprocessing, decode: Decode = decode_here
) -> tuple[PreparedStore, list[Exclusion]]:
    """Decodes a manifest's images into the cache, with progress shown; another process that does just that is waited for.

    Where it tells of slices, these are decoded, each once, and brought into stacks.
    """
    slices = None if manifest.slices is None else own_slices(manifest)
    files = manifest.frame.rename(columns={"sample_id": "slice_id"}) if slices is None else slices
    samples = list(zip(files["slice_id"], files["path"], strict=True))
    done = 0

    def moved(now: int, of: int) -> None:
        nonlocal done
        done = now
        move(now, of)

    with progress("preparing images") as move:
        store, exclusions = prepare_store(samples, preprocessing, cache=cache_folder(), progress=moved, tell=say, decode=decode)
    if not done:
        say(f"preparing images: done before, {len(store.index)} are in the cache")
    return arranged(store, manifest, preprocessing), exclusions


def arranged(store: PreparedStore, manifest: Manifest, preprocessing: Preprocessing) -> PreparedStore:
    """A store as the manifest's samples need it: as it is, or its slices in stacks."""
    if manifest.slices is None:
        return store
    return in_stacks(store, own_slices(manifest), neighbours=preprocessing.neighbours, series=is_of_series(manifest))


def one_finding_each(manifest: Manifest) -> tuple[Manifest, list[Exclusion]]:
    """The samples with exactly one certain finding, as ``data.task: multiclass`` needs them, and those without.

    Raises:
        ManifestError: No sample has.
    """
    targets, mask = manifest.targets()
    single = mask.all(axis=1) & (targets.sum(axis=1) == 1)
    out = [
        Exclusion(path, "not exactly one finding", f"{path}: data.task multiclass needs exactly one finding a sample")
        for path in manifest.frame["path"][~single]
    ]
    if not single.any():
        raise ManifestError(f"no sample has exactly one of {', '.join(manifest.findings)}; use data.task multilabel.")
    return keep_samples(manifest, manifest.frame["sample_id"][single]), out


def with_attributes(manifest: Manifest, attributes: Sequence[str]) -> tuple[str, ...]:
    """The attributes to report by; one that no manifest column holds is refused.

    Raises:
        ManifestError: An attribute is not a column.
    """
    unknown = [name for name in attributes if name not in manifest.frame.columns]
    if unknown:
        known = ", ".join(("sex", "age_band", "view", "site", "manufacturer", *manifest.attributes))
        raise ManifestError(f"data.attributes {unknown[0]!r} is not a column of the manifest. Known are: {known}.")
    return tuple(attributes)
