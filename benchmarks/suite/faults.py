"""Planted faults and their absence: how often the audit finds what is there, and raises an alarm about what is not.

The population is the phantom's: its patients, sites, severities, labels and lead markers, with its own faults. What a network
would have said is drawn from how plain a lesion is, and not rendered: twenty seeds of images and fits would take days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Measure

if TYPE_CHECKING:
    import pandas as pd

    from medclassify.audit import AuditResult

CORES = 1
PATIENTS = 1200
FINDINGS = ("effusion", "consolidation", "pneumothorax")
SHIFT = 1.0
"""Log-odds by which probabilities are too high at site B, under the fault that this benchmark adds to the phantom's."""
FAULTS = ("fainter_in_f", "label_noise_site_b", "site_marker", "miscalibrated_site_b", "patient_in_two_splits")


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    seeds = 2 if quick else 20
    calls: dict[str, Callable[[], Measure]] = {f"found_{fault}": lambda fault=fault: found(fault, seeds) for fault in FAULTS}
    return {**calls, "false_alarms": lambda: false_alarms(seeds), "size_held": lambda: size_held(seeds)}


def found(fault: str, seeds: int) -> Measure:
    """Share of seeds in which the fault is found by the detector made for it."""
    told = [alarms(fault, seed)[fault] for seed in range(seeds)]
    share = sum(map(bool, told)) / seeds
    sizes = sorted(size for one in told for size in one)
    spread = f"; sizes {sizes[0]:.3f} to {sizes[-1]:.3f}, median {sizes[len(sizes) // 2]:.3f}" if sizes else ""
    return Measure(f"found_{fault}", share, 0.95, "higher", f"{seeds} seeds of {PATIENTS} patients{spread}", share, share)


def false_alarms(seeds: int) -> Measure:
    """Share of seeds without a fault in which any of the detectors raises an alarm about anything."""
    told = [alarms("", seed) for seed in range(seeds)]
    by_kind = ", ".join(f"{fault} {sum(bool(one[fault]) for one in told)}" for fault in FAULTS)
    share = sum(any(one.values()) for one in told) / seeds
    return Measure("false_alarms", share, 0.05, "lower", f"{seeds} seeds without a fault; by detector: {by_kind}", share, share)


def size_held(seeds: int) -> Measure:
    """Share of the seeds' intervals of planted AUROC gaps that hold the gap's size in 20 times as many patients."""
    held = []
    for fault, place in (("fainter_in_f", ("effusion", "sex")), ("label_noise_site_b", ("consolidation", "site"))):
        truth = _gap(audited(fault, 1000, 20 * PATIENTS), *place)
        rows = [_gap(audited(fault, seed, PATIENTS), *place) for seed in range(seeds)]
        held += [row.ci_low <= truth.gap <= row.ci_high for row in rows]
    share = sum(held) / len(held)
    return Measure("size_held", share, 0.85, "higher", f"AUROC gaps of two faults, {seeds} seeds each", share, share)


@cache
def alarms(fault: str, seed: int) -> dict[str, list[float]]:
    """What each detector says about a sample with one fault (or none): the sizes of its alarms.

    A gap alarms where its whole interval lies beyond the margin and it holds after Holm's adjustment; the attribute where
    the audit says that it gives the finding away; an intercept where it holds after Holm's; a patient in two splits at once.
    """
    from medclassify.audit import GapVerdict
    from medclassify.manifest.leakage import check_leakage

    result = audited(fault, seed, PATIENTS)
    gaps = [row for row in result.gaps if row.metric == "auroc" and row.verdict is GapVerdict.FAIL and row.holds]
    return {
        "fainter_in_f": [abs(row.gap) for row in gaps if row.attribute == "sex" and row.gap is not None],
        "label_noise_site_b": [abs(row.gap) for row in gaps if row.attribute == "site" and row.gap is not None],
        "site_marker": [row.alone.value or 0.0 for row in result.confounding if row.alarm and row.shown],
        "miscalibrated_site_b": [abs(row.estimate.value or 0.0) for row in result.miscalibrated],
        "patient_in_two_splits": [float(each.count) for each in check_leakage(_manifest(fault, seed)).findings],
    }


def audited(fault: str, seed: int, patients: int) -> AuditResult:
    """The audit of one sample."""
    from medclassify.audit import compute_audit

    frame = _calibrated(_drawn(fault, seed, patients), _drawn(fault, seed + 500, PATIENTS))
    shift = SHIFT * ((frame["site"] == "B") if fault == "miscalibrated_site_b" else 0)
    frame["prob_cal"] = 1 / (1 + (1 / frame["prob_cal"] - 1) * 2.718281828 ** (-shift))
    frame["threshold"] = 0.3
    return compute_audit(frame, attributes=["sex", "site", "marker"], bootstrap=200, seed=seed)


def _planted(fault: str) -> tuple[str, ...]:
    """The phantom's own faults; it renders pictures, so wrong probabilities are none of them."""
    return () if fault in ("", "miscalibrated_site_b") else (fault,)


def _drawn(fault: str, seed: int, patients: int) -> pd.DataFrame:
    """Samples and findings of a phantom population, with a logit that grows with how plain the lesion is."""
    import numpy as np
    import pandas as pd

    from medclassify.config import PhantomConfig
    from medclassify.phantom import draw_patient

    config, noise = PhantomConfig(seed=seed, faults=_planted(fault)), np.random.default_rng([seed, 11])
    rows: list[dict[str, Any]] = []
    for number in range(patients):
        for exam in draw_patient(config, number):
            marked = len(exam.scene.letters) > 1
            for finding in FINDINGS:
                lesion = exam.scene.lesions.get(finding)
                plain = 0.0 if lesion is None else lesion.contrast * (1.5 + 2.5 * lesion.severity)
                told = 2.0 * marked * (finding == "pneumothorax")
                rows.append(
                    {
                        "sample_id": exam.name,
                        "patient_id": exam.patient_id,
                        "finding": finding,
                        "target": exam.labels[finding],
                        "score": plain + told + noise.normal(),
                        "sex": exam.sex,
                        "site": exam.site_key,
                        "marker": "yes" if marked else "no",
                    }
                )
    return pd.DataFrame(rows)


def _calibrated(frame: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    """Probabilities by a logistic fit on other patients: score, its square, and site, for sites differ in prevalence."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    def design(part: pd.DataFrame) -> np.ndarray:
        score = part["score"].to_numpy()
        return np.stack([score, score**2, part["site"] == "B"], axis=1)

    parts = []
    for finding, part in frame.groupby("finding", sort=False):
        learnt = apart[apart["finding"] == finding]
        model = LogisticRegression(C=1e6, max_iter=500).fit(design(learnt), learnt["target"])
        parts.append(part.assign(prob_cal=model.predict_proba(design(part))[:, 1]))
    return pd.concat(parts).drop(columns="score").reset_index(drop=True)


def _manifest(fault: str, seed: int) -> Any:
    """The manifest of such a population: the label table's splits where it has them, else one split a patient."""
    import numpy as np
    import pandas as pd

    from medclassify.config import PhantomConfig
    from medclassify.manifest import Manifest
    from medclassify.manifest.table import CORE_COLUMNS
    from medclassify.phantom import draw_patient

    config = PhantomConfig(seed=seed, faults=_planted(fault))
    draw, rows = np.random.default_rng([seed, 12]), []
    for number in range(PATIENTS // 4):
        own = str(draw.choice(["train", "tune", "calibrate", "test"], p=[0.6, 0.1, 0.1, 0.2]))
        rows += [
            {
                "sample_id": exam.name,
                "path": f"/{exam.name}.dcm",
                "patient_id": exam.patient_id,
                "study_uid": exam.study_uid,
                "series_uid": exam.series_uid,
                "sop_uid": exam.sop_uid,
                "split": exam.split or own,
            }
            for exam in draw_patient(config, number)
        ]
    frame = pd.DataFrame(rows)
    return Manifest(frame.reindex(columns=list(dict.fromkeys([*CORE_COLUMNS, *frame.columns]))), (), "phantom", "generic")


def _gap(result: AuditResult, finding: str, attribute: str) -> Any:
    wanted = finding, attribute, "auroc"
    return next(row for row in result.reference_gaps if (row.finding, row.attribute, row.metric) == wanted)
