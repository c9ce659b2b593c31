"""The explanations of a fit: checked, drawn, scored against known places, watched for shortcuts, with similar cases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medclassify.audit import ExplainedCase
from medclassify.config import Config
from medclassify.explain import saliency_method
from medclassify.records import Split
from medclassify.runs import RunLayout, atomic_path
from medclassify.workflows.console import say
from medclassify.workflows.dataset import Dataset
from medclassify.workflows.explainer import Explainer
from medclassify.workflows.explanations import choose_cases, write_explanations
from medclassify.workflows.learning_series import slice_weights
from medclassify.workflows.localise import localisation_lines, localise
from medclassify.workflows.method_checks import check_sanity, reference_limits
from medclassify.workflows.scoring import Scorer
from medclassify.workflows.shortcut_watch import watch_shortcuts
from medclassify.workflows.similar_cases import similar_cases
from medclassify.workflows.tables import write_table

LOCALISATION, NEIGHBOURS, ATTENTION = "localisation.csv", "neighbours.parquet", "attention.parquet"
SHORTCUTS, SHORTCUT_CASES = "shortcuts.csv", "shortcut_cases.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Explanations:
    """What the report shows of them.

    Attributes:
        cases: The explained cases.
        sanity: The verdict, as JSON.
        localisation: As ``localise`` returns it, or None where no place is known.
        shortcuts: As ``watch_shortcuts`` returns it.
    """

    cases: list[ExplainedCase]
    sanity: dict[str, Any]
    localisation: pd.DataFrame | None
    shortcuts: pd.DataFrame


def explain_run(
    run: RunLayout, scorer: Scorer, dataset: Dataset, test: pd.DataFrame, boxes: pd.DataFrame | None, config: Config
) -> Explanations:
    """Makes the run's ``explain`` folder.

    Args:
        run: The run.
        scorer: Its model.
        dataset: Its images and labels.
        test: The test split's predictions.
        boxes: Boxes that came with the labels, or None.
        config: Its config.
    """
    manifest, seed = dataset.manifest, config.seed_everything
    explainer = Explainer(scorer, dataset.store, saliency_method(config.explain.method))
    sanity = check_sanity(explainer, manifest, seed)
    limits = reference_limits(explainer, manifest.of_split(Split.CALIBRATE).frame["sample_id"].tolist())
    paths = dict(zip(manifest.frame["sample_id"], manifest.frame["path"], strict=True))
    chosen = choose_cases(test, paths, config.explain.samples)
    cases = write_explanations(run.explain, explainer, chosen, limits, sanity, manifest.slices)
    if dataset.store.stacks:
        held_back = manifest.frame.loc[manifest.frame["split"] != Split.TRAIN, "sample_id"].tolist()
        write_table(slice_weights(scorer, dataset.store, held_back), run.explain / ATTENTION)
    held_out = manifest.of_split(Split.TEST)
    localisation = localise(explainer, held_out, boxes, limits, config.data.attributes, seed)
    write_localisation(run.explain, localisation)
    if localisation is None and boxes is not None and len(boxes):
        say(f"  {len(boxes)} boxes, but none on a test image: maps are not scored against them")
    shortcuts, worst = watch_shortcuts(explainer, held_out, test, seed)
    write_table(shortcuts, run.explain / SHORTCUTS)
    write_table(worst, run.explain / SHORTCUT_CASES)
    write_table(similar_cases(explainer, manifest, test, seed), run.explain / NEIGHBOURS)
    return Explanations(cases, sanity, localisation, shortcuts)


def write_localisation(folder: Path, table: pd.DataFrame | None) -> None:
    """Writes ``localisation.csv``, where there is one, and says its headline."""
    if table is None:
        return
    with atomic_path(folder / LOCALISATION) as temporary:
        table.to_csv(temporary, index=False)
    for line in localisation_lines(table):
        say(line)
