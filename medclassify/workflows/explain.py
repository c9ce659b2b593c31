"""Saliency maps of any images with a finished run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medclassify.errors import ManifestError, RunError
from medclassify.explain import Method, saliency_method
from medclassify.manifest import keep_samples, read_manifest
from medclassify.records import Split
from medclassify.runs import RunLayout
from medclassify.workflows.checks import finished_run, require_finding, require_new_folder, require_sources
from medclassify.workflows.consent import Withdrawn
from medclassify.workflows.console import say
from medclassify.workflows.dataset import prepare
from medclassify.workflows.explainer import Explainer
from medclassify.workflows.explanations import Case, write_explanations
from medclassify.workflows.index import report_exclusions
from medclassify.workflows.method_checks import check_sanity, reference_limits
from medclassify.workflows.modalities import keep_learnt
from medclassify.workflows.predict import samples_of
from medclassify.workflows.scoring import Scorer
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
) -> Explained:
    """Writes overlays and raw maps.

    Args:
        run_folder: A finished run; its saliency limits and sanity verdict are used.
        sources: Images, folders, or one manifest.
        out: A new or empty folder.
        finding: One finding, or None for all.
        method: Another saliency method than the run's own; it is checked first, on the run's own images.
        exclude_patients: Patients who withdrew consent, besides those whom the run's config leaves out.

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
    manifest, unreadable = samples_of(sources, Withdrawn.of(exclude_patients, run))
    manifest, foreign = keep_learnt(manifest, scorer.bundle.modalities)
    manifest, apart = scorer.take(manifest)
    store, broken = prepare(manifest, scorer.bundle.preprocessing)
    report_exclusions([*unreadable, *foreign, *apart, *broken])
    manifest = keep_samples(manifest, store.sample_ids)
    scorer = scorer.embedded(store)
    predictions = scorer.table(manifest, store, attributes=())
    paths = dict(zip(manifest.frame["sample_id"], manifest.frame["path"], strict=True))
    cases = [Case.of_row(row, paths) for row in predictions.to_dict("records") if finding in (None, row["finding"])]
    write_explanations(out, Explainer(scorer, store, chosen), cases, limits, sanity, manifest.slices)
    # Apart from the maps, which are passed on: a path may name a patient.
    write_table(manifest.frame[["sample_id", "path"]], out / "files.csv")
    for sample, path in zip(manifest.frame["sample_id"].head(_SHOWN), manifest.frame["path"].head(_SHOWN), strict=True):
        say(f"  {Path(path).name}: {sample}_*.png")
    return Explained(len(cases), chosen.name, bool(sanity["passed"]))


def _checked(run: RunLayout, scorer: Scorer, method: Method) -> tuple[dict[str, float], dict[str, Any]]:
    """Scale and sanity of a method that the fit did not use, from the run's calibrate split.

    Raises:
        RunError: None of its images is there any more.
    """
    say(f"{method.name} is not the run's own method: its scale and sanity are found on the run's calibrate split first")
    manifest = read_manifest(run.manifest).of_split(Split.CALIBRATE)
    try:
        store, gone = prepare(manifest, scorer.bundle.preprocessing)
    except ManifestError as error:
        raise RunError(
            f"{run.manifest}: none of the run's calibrate images can be read any more, and {method.name} must be checked on "
            "them. Leave out --method, or put the images back."
        ) from error
    report_exclusions(gone)
    explainer, samples = Explainer(scorer.embedded(store), store, method), store.sample_ids
    return reference_limits(explainer, samples), check_sanity(explainer, samples)
