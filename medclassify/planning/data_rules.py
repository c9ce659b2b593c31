"""Rules about data: facts in, a choice and its reason out. Every bound is a name at the top, with its source."""

from collections.abc import Mapping, Sequence

from medclassify.metrics import MIN_CELL, MIN_DENOMINATOR, STABLE_CELL
from medclassify.planning.choice import Choice
from medclassify.planning.facts import DataFacts, FindingFacts, ImageFacts

DEFAULT_FRACTIONS = {"train": 0.6, "tune": 0.1, "calibrate": 0.1, "test": 0.2}
SMALL_FRACTIONS = {"train": 0.5, "tune": 0.1, "calibrate": 0.15, "test": 0.25}
LARGE_FRACTIONS = {"train": 0.8, "tune": 0.05, "calibrate": 0.05, "test": 0.1}
LARGE_PATIENTS = 2000
"""Positive patients of the rarest finding from which 5 % hold the 100 that fix a calibration slope (Van Calster et al. 2016,
J Clin Epidemiol 74:167–176, ask for 200 events for a curve, 100 at the least)."""
SMALL_PATIENTS = 100
"""Below it 20 % hold fewer than ``STABLE_CELL`` of them, and every interval of the test split would be marked unstable."""
WINDOWED_SHARE = 0.9
"""Where fewer files have a window of their own, windowed and unwindowed images would look different for a reason that is no
finding, and a network learns such a reason (Zech et al. 2018, PLoS Med 15:e1002683)."""
MOST_SUBGROUPS = 20
"""More than the reports of an audit stay readable with; such an attribute is an identifier rather than a group."""
USUAL_ATTRIBUTES = ("sex", "age_band", "view", "site", "manufacturer")

_HEAD_WORDS = ("hemorrhage", "haemorrhage", "subdural", "epidural", "subarachnoid", "intraparenchymal", "intraventricular")
_EMBOLISM_WORDS = ("embol",)


def learnable(finding: FindingFacts) -> bool:
    """Can a finding be learnt and measured at all?

    ``fit`` refuses one with one class in train; below ``MIN_CELL`` positive patients no split could give an estimate.
    """
    train = finding.splits["train"]
    return finding.positive_patients >= MIN_CELL and train.positive > 0 and train.negative > 0


def choose_findings(findings: Sequence[FindingFacts]) -> Choice:
    """The findings that can be learnt."""
    kept = [finding.name for finding in findings if learnable(finding)]
    out = [f"{finding.name} ({finding.positive_patients} patients)" for finding in findings if not learnable(finding)]
    reason = (
        "every finding of the labels"
        if not out
        else (f"without {', '.join(out)}: fewer than {MIN_CELL} patients have it, or train holds one class only")
    )
    return Choice("data.findings", kept, reason)


def choose_uncertain(findings: Sequence[FindingFacts]) -> Choice:
    """What is learnt from labels of −1."""
    uncertain = {finding.name: finding.uncertain for finding in findings if finding.uncertain}
    if not uncertain:
        return Choice("data.uncertain", "ignore", "there are no labels of -1")
    most = max(uncertain, key=lambda name: uncertain[name])
    return Choice(
        "data.uncertain",
        "ignore",
        f"{sum(uncertain.values())} labels are -1 (most: {most}, {uncertain[most]}) and are masked; which other policy is "
        f"right differs by finding (Irvin et al. 2019, CheXpert), so it is yours to choose",
    )


def choose_fractions(findings: Sequence[FindingFacts], published: bool) -> Choice:
    """How patients are divided: by what calibrate and test need, not by habit."""
    counted = [finding for finding in findings if finding.positive_patients >= STABLE_CELL] or list(findings)
    rarest = min(counted, key=lambda finding: finding.positive_patients)
    n = rarest.positive_patients
    seen = f"{rarest.name}, the rarest finding that can be measured, has {n} positive patients"
    if n >= LARGE_PATIENTS:
        values, reason = LARGE_FRACTIONS, f"{seen}: 5 % of them suffice to calibrate, the rest is better learnt from"
    elif n < SMALL_PATIENTS:
        values, reason = SMALL_FRACTIONS, f"{seen}: at 20 % fewer than {STABLE_CELL} of them would be in test"
    else:
        values, reason = DEFAULT_FRACTIONS, f"{seen}: the usual shares leave each split enough of them"
    if published:
        reason += "; the labels' own split is kept, and only what it lacks is drawn"
    return Choice("data.fractions", dict(values), reason)


def choose_window(images: ImageFacts) -> Choice:
    """How a radiograph's values become grey."""
    share = images.windowed / max(images.decoded, 1)
    seen = f"{images.windowed} of {images.decoded} decoded images have a window of their own"
    if images.windowed and share < WINDOWED_SHARE:
        return Choice(
            "data.window", "percentile", f"{seen}: all by percentiles, so that having one is not visible to the network"
        )
    if images.windowed:
        return Choice("data.window", "voi", f"{seen}, made for the eye that labelled them")
    return Choice("data.window", "voi", f"{seen}: percentiles are taken where a file has none")


def choose_ct_windows(modalities: Mapping[str, int], findings: Sequence[str]) -> Choice | None:
    """The windows of CT, by what is looked for; None for anything else."""
    if "CT" not in modalities:
        return None
    words = " ".join(findings).lower()
    if any(word in words for word in _HEAD_WORDS):
        return Choice("data.ct_windows", ["brain", "subdural", "bone"], "CT, and the findings are bleedings of the head")
    if any(word in words for word in _EMBOLISM_WORDS):
        return Choice(
            "data.ct_windows", ["lung", "mediastinum", "embolism"], "CT, and the finding is embolism (Wittram et al. 2004)"
        )
    return Choice(
        "data.ct_windows",
        ["lung", "mediastinum", "bone"],
        "CT; no finding's name tells which windows it is read in, so this is the usual set of the chest: change it for another",
    )


def choose_attributes(data: DataFacts) -> Choice:
    """The attributes by which results are reported: where two subgroups can be told apart in test."""
    kept, out = [], []
    for name, groups in data.attributes.items():
        told = {group: patients for group, patients in groups.items() if group}
        enough = [group for group, patients in told.items() if patients >= MIN_DENOMINATOR]
        if name not in USUAL_ATTRIBUTES and len(told) > MOST_SUBGROUPS:
            out.append(f"{name} ({len(told)} values)")
        elif len(enough) >= 2:
            kept.append((name, told, groups.get("", 0)))
        else:
            out.append(f"{name} ({_counted(told) or 'not known'})")
    said = [f"{name} ({_counted(told)}{f', missing {missing}' if missing else ''})" for name, told, missing in kept]
    reason = f"patients in test: {'; '.join(said)}" if said else "no attribute has two subgroups that could be compared"
    if out:
        reason += f". Left out, for want of two subgroups of {MIN_DENOMINATOR} patients or with too many: {', '.join(out)}"
    return Choice("data.attributes", [name for name, _, _ in kept], reason)


def _counted(groups: Mapping[str, int], shown: int = 6) -> str:
    largest = sorted(groups.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{group} {patients}" for group, patients in largest[:shown])
    return text + (f", and {len(largest) - shown} more" if len(largest) > shown else "")
