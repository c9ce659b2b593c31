"""Saliency maps of any images with a finished run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.errors import ManifestError, RunError
from medclassify.explain import Method, saliency_method
from medclassify.manifest import Manifest, is_of_series, keep_samples, read_boxes, read_manifest
from medclassify.records import Split
from medclassify.runs import RunLayout
from medclassify.workflows.checks import TABLES, finished_run, require_finding, require_new_folder, require_sources
from medclassify.workflows.consent import Withdrawn
from medclassify.workflows.console import say
from medclassify.workflows.dataset import prepare
from medclassify.workflows.explain_run import write_localisation
from medclassify.workflows.explainer import Explainer
from medclassify.workflows.explanations import Case, write_explanations
from medclassify.workflows.index import report_exclusions
from medclassify.workflows.localise import localise
from medclassify.workflows.method_checks import CONTROL_IMAGES, check_sanity, reference_limits
from medclassify.workflows.predict import samples_for
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.summary import shown_name
from medclassify.workflows.tables import write_table

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Explained:
    """What was written.

    Attributes:
        maps: How many maps.
        method: The saliency method.
        passed: Whether this model's maps by this method passed the sanity check.
    """

    maps: int
    method: str
    passed: bool


def explain(
    run_folder: Path,
    sources: Sequence[str],
    out: Path,
    finding: str | None = None,
    method: str | None = None,
    exclude_patients: Sequence[str] = (),
    dicom: bool = False,
) -> Explained:
    """Writes overlays and raw maps.

    Args:
        run_folder: A finished run; its saliency limits and sanity verdict are used.
        sources: Images, folders, or one manifest.
        out: A new or empty folder.
        finding: One finding, or None for all.
        method: Another saliency method than the run's own; it is checked first, on the run's own images.
        exclude_patients: Patients who withdrew consent, besides those whom the run's config leaves out.
        dicom: Also write the maps as DICOM in the studies of their images.

    Raises:
        ConfigError: The model has no such finding, or there is no such method.
        RunError: The folder is not empty, or another method cannot be checked for want of the run's images.
    """
    run = finished_run(run_folder)
    require_finding(run, finding)
    require_new_folder(out)
    require_sources(sources)
    scorer = Scorer.of_run(run.model)
    known = json.loads((run.explain / "index.json").read_text(encoding="utf-8"))
    chosen = saliency_method(method or known.get("method", "grad_cam"))
    limits, sanity = known["limit"], known["sanity"]
    if chosen.name != known.get("method", "grad_cam"):
        limits, sanity = _checked(run, scorer, chosen)
    manifest, left_out = samples_for(scorer, sources, Withdrawn.of(exclude_patients, run))
    store, broken = prepare(manifest, scorer.bundle.preprocessing)
    report_exclusions([*left_out, *broken])
    manifest = keep_samples(manifest, store.sample_ids)
    scorer = scorer.embedded(store)
    predictions = scorer.table(manifest, store, attributes=())
    paths = dict(zip(manifest.frame["sample_id"], manifest.frame["path"], strict=True))
    cases = [Case.of_row(row, paths) for row in predictions.to_dict("records") if finding in (None, row["finding"])]
    explainer = Explainer(scorer, store, chosen)
    write_explanations(out, explainer, cases, limits, sanity, manifest.slices, dicom=dicom)
    unseen = _not_learnt_from(run, manifest)
    if len(unseen) < len(manifest):
        say(f"  {len(manifest) - len(unseen)} of {len(manifest)} are of the run's train split: not scored against known places")
    only = None if finding is None else (finding,)
    write_localisation(out, localise(explainer, unseen, _boxes(sources), limits, findings=only))
    # Apart from the maps, which are passed on: a path may name a patient.
    write_table(manifest.frame[["sample_id", "path"]], out / "files.csv")
    for sample, path in zip(manifest.frame["sample_id"].head(_SHOWN), manifest.frame["path"].head(_SHOWN), strict=True):
        say(f"  {shown_name(path, is_of_series(manifest))}: {sample}_*.png")
    if len(manifest) > _SHOWN:
        say(f"  … and {len(manifest) - _SHOWN} more, in {out / 'files.csv'}")
    return Explained(len(cases), chosen.name, bool(sanity["passed"]))


def _not_learnt_from(run: RunLayout, manifest: Manifest) -> Manifest:
    """A manifest without the samples of the run's train split, on which maps look better than they are."""
    learnt = read_manifest(run.manifest).of_split(Split.TRAIN).frame["sample_id"]
    return keep_samples(manifest, manifest.frame["sample_id"][~manifest.frame["sample_id"].isin(learnt)])


def _boxes(sources: Sequence[str]) -> pd.DataFrame | None:
    first = Path(sources[0])
    return read_boxes(first) if len(sources) == 1 and first.suffix in TABLES else None


def _checked(run: RunLayout, scorer: Scorer, method: Method) -> tuple[dict[str, float], dict[str, Any]]:
    """Scale and sanity of a method that the fit did not use, from the run's calibrate split.

    Raises:
        RunError: None of its images is there any more.
    """
    say(f"{method.name} is not the run's own method: its scale and sanity are found on the run's calibrate split first")
    everything = read_manifest(run.manifest)
    train = everything.of_split(Split.TRAIN).frame["sample_id"].head(CONTROL_IMAGES)
    manifest = keep_samples(everything, [*everything.of_split(Split.CALIBRATE).frame["sample_id"], *train])
    try:
        store, gone = prepare(manifest, scorer.bundle.preprocessing)
    except ManifestError as error:
        raise RunError(_gone(run, method)) from error
    report_exclusions(gone)
    manifest = keep_samples(manifest, store.sample_ids)
    calibrate = manifest.of_split(Split.CALIBRATE).frame["sample_id"].tolist()
    if not calibrate:
        raise RunError(_gone(run, method))
    explainer = Explainer(scorer.embedded(store), store, method)
    return reference_limits(explainer, calibrate), check_sanity(explainer, manifest)


def _gone(run: RunLayout, method: Method) -> str:
    return (
        f"{run.manifest}: none of the run's calibrate images can be read any more, and {method.name} must be checked on "
        "them. Leave out --method, or put the images back."
    )
