"""What the report tells besides the statistics: given by the workflow that made the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from medclassify.audit.attributes import subgroup_levels
from medclassify.audit.probes import AttributeProbe
from medclassify.config import HumanStatements
from medclassify.records import OperatingPoint, Split


@dataclass(frozen=True, eq=False)
class ExplainedCase:
    """One sample with the picture of where the network looked.

    Attributes:
        sample_id: The sample.
        finding: The finding whose logit is explained.
        target: 1 present, 0 absent, None not labelled.
        probability: Calibrated probability in [0, 1].
        threshold: The frozen operating point in [0, 1].
        overlay_png: PNG bytes of the overlay.
    """

    sample_id: str
    finding: str
    target: int | None
    probability: float
    threshold: float
    overlay_png: bytes


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """Everything the report prints that cannot be computed from the predictions. All but the title may be left out.

    Attributes:
        title: Heading, e.g. the run's name.
        synthetic: The data are rendered, not recorded; prints a banner.
        weights: ``source`` (words), ``share_loaded`` (0–1 of the backbone's tensors), ``fallback`` (True where random weights
            stood in for pretrained ones; prints a banner). Further keys are listed.
        model: ``backbone``, ``image_size``, ``parameters`` and the like, in words.
        config: The resolved config, nested.
        counts: Split → ``patients``, ``studies``, ``images`` or ``series`` (see `describe_splits`).
        demographics: Attribute → subgroup → split → number of samples.
        prevalence: Finding → split → (positive, negative, not labelled).
        exclusions: Reason → number of files.
        leakage: ``clean`` (bool), ``findings`` (lines), ``allowed`` (the stated reason, or None); further keys are listed.
        operating_points: The frozen thresholds and where they came from.
        calibration_notes: What was fitted for each finding and why.
        history: One mapping an epoch: ``epoch`` and numbers such as ``train_loss``, ``tune_loss``, ``tune_auroc``.
        explanations: The explained cases.
        sanity: Verdict of the explanation sanity check (``passed``, ``reasons``, ``findings``), or None where it was not run.
        localisation: Rows of ``explain/localisation.csv`` for the whole test split: how maps score against known places.
        shortcuts: Rows of ``explain/shortcuts.csv``: how much saliency lies where there is no anatomy.
        statements: What only a person can say.
        provenance: Versions, weights hash, seeds, hardware, nested.
        warnings: Lines that the reader must see.
        data: What the data are, in words; licence and consent.
        preprocessing: What the network expects of its input.
        conformal: The model's conformal rules as JSON; empty where sets are switched off.
        probes: How well each attribute can be read off the embeddings.
        probes_note: Why there are no probes, or "".
    """

    title: str
    synthetic: bool = False
    weights: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    demographics: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    prevalence: Mapping[str, Mapping[str, tuple[int, int, int]]] = field(default_factory=dict)
    exclusions: Mapping[str, int] = field(default_factory=dict)
    leakage: Mapping[str, Any] = field(default_factory=dict)
    operating_points: Sequence[OperatingPoint] = ()
    calibration_notes: Sequence[str] = ()
    history: Sequence[Mapping[str, float]] = ()
    explanations: Sequence[ExplainedCase] = ()
    sanity: Mapping[str, Any] | None = None
    localisation: Sequence[Mapping[str, Any]] = ()
    shortcuts: Sequence[Mapping[str, Any]] = ()
    statements: HumanStatements = field(default_factory=HumanStatements)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    conformal: Mapping[str, Any] = field(default_factory=dict)
    probes: Sequence[AttributeProbe] = ()
    probes_note: str = ""

    @property
    def sampled(self) -> str:
        """What the samples are: ``images``, or ``series`` where those were counted."""
        return "series" if any("series" in counted for counted in self.counts.values()) else "images"


def describe_splits(
    frame: pd.DataFrame, findings: Sequence[str], attributes: Sequence[str], *, sampled: str = "images"
) -> dict[str, Any]:
    """Counts a manifest for the report.

    Args:
        frame: A manifest's table: ``split, patient_id, study_uid``, attributes and findings.
        findings: Columns with 1, 0, -1 and blank.
        attributes: Columns to count by; blanks are counted as ``missing``.
        sampled: What a row is: ``images`` or ``series``.

    Returns:
        ``counts``, ``demographics`` and ``prevalence``, for ``ReportFacts(..., **describe_splits(...))``.
    """
    split = frame["split"].astype("string").fillna("not assigned").reset_index(drop=True)
    order = [str(name) for name in Split if (split == name).any()]
    order += sorted(set(split) - set(order))
    parts = {name: frame[(split == name).to_numpy()] for name in order}
    counts = {name: _count(part, sampled) for name, part in parts.items()}
    demographics: dict[str, dict[str, dict[str, int]]] = {}
    for attribute in attributes:
        text, levels = subgroup_levels(frame[attribute].reset_index(drop=True), attribute, [])
        demographics[attribute] = {
            level: {name: int(((text == level) & (split == name)).sum()) for name in order} for level in levels
        }
    prevalence = {
        finding: {
            name: (int((part[finding] == 1).sum()), int((part[finding] == 0).sum()), int((~part[finding].isin([0, 1])).sum()))
            for name, part in parts.items()
        }
        for finding in findings
    }
    return {"counts": counts, "demographics": demographics, "prevalence": prevalence}


def _count(part: pd.DataFrame, sampled: str) -> dict[str, int]:
    counted = {"patients": int(part["patient_id"].nunique())}
    if "study_uid" in part and (part["study_uid"].astype("string").fillna("") != "").any():
        counted["studies"] = int(part["study_uid"].nunique())
    return {**counted, sampled: len(part)}
