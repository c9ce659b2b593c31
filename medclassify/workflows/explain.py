"""Saliency maps of any images with a finished run."""

import json
from collections.abc import Sequence
from pathlib import Path

from medclassify.manifest import keep_samples
from medclassify.workflows.checks import finished_run, require_finding, require_new_folder, require_sources
from medclassify.workflows.consent import Withdrawn
from medclassify.workflows.console import say
from medclassify.workflows.dataset import prepare
from medclassify.workflows.explanations import Case, write_explanations
from medclassify.workflows.index import report_exclusions
from medclassify.workflows.modalities import keep_learnt
from medclassify.workflows.predict import samples_of
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.tables import write_table

_SHOWN = 20


def explain(
    run_folder: Path, sources: Sequence[str], out: Path, finding: str | None, exclude_patients: Sequence[str] = ()
) -> tuple[int, bool]:
    """Writes overlays and raw maps.

    Args:
        run_folder: A finished run; its saliency limits and sanity verdict are used.
        sources: Images, folders, or one manifest.
        out: A new or empty folder.
        finding: One finding, or None for all.
        exclude_patients: Patients who withdrew consent, besides those whom the run's config leaves out.

    Returns:
        How many maps were written, and whether this model's maps passed the sanity check.

    Raises:
        ConfigError: The model has no such finding.
        RunError: The folder is not empty.
    """
    run = finished_run(run_folder)
    require_finding(run, finding)
    require_new_folder(out)
    require_sources(sources)
    scorer = Scorer.of_run(run.model)
    index = json.loads((run.explain / "index.json").read_text(encoding="utf-8"))
    manifest, unreadable = samples_of(sources, Withdrawn.of(exclude_patients, run))
    manifest, foreign = keep_learnt(manifest, scorer.bundle.modalities)
    store, broken = prepare(manifest, scorer.bundle.preprocessing)
    report_exclusions([*unreadable, *foreign, *broken])
    manifest = keep_samples(manifest, store.index["sample_id"])
    predictions = scorer.table(manifest, store, attributes=())
    paths = manifest.frame.set_index("sample_id")["path"]
    cases = [
        Case(row["sample_id"], row["finding"], paths[row["sample_id"]], None, float(row["prob_cal"]), float(row["threshold"]))
        for row in predictions.to_dict("records")
        if finding in (None, row["finding"])
    ]
    write_explanations(out, scorer, store, cases, index["limit"], index["sanity"])
    # Apart from the maps, which are passed on: a path may name a patient.
    write_table(manifest.frame[["sample_id", "path"]], out / "files.csv")
    for sample, path in zip(manifest.frame["sample_id"].head(_SHOWN), manifest.frame["path"].head(_SHOWN), strict=True):
        say(f"  {Path(path).name}: {sample}_*.png")
    return len(cases), bool(index["sanity"]["passed"])
