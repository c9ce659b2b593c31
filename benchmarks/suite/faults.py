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
    import numpy as np
    import pandas as pd

    from medclassify.audit import AuditResult

CORES = 1
PATIENTS = 1000
FINDINGS = ("effusion", "consolidation", "pneumothorax")
SHIFT = 1.0
"""Log-odds by which probabilities are too high at site B, under the fault that this benchmark adds to the phantom's."""
FAULTS = ("fainter_in_f", "label_noise_site_b", "site_marker", "miscalibrated_site_b", "patient_in_two_splits")


PLACES = {"fainter_in_f": ("effusion", "sex"), "label_noise_site_b": ("consolidation", "site")}
"""Where a fault makes a gap of AUROC."""


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    size = (2, 3) if quick else (20, 10)
    calls: dict[str, Callable[[], Measure]] = {f"found_{fault}": lambda fault=fault: found(fault, *size) for fault in FAULTS}
    return {**calls, "false_alarms": lambda: false_alarms(*size)}


def found(fault: str, seeds: int, times: int) -> Measure:
    """Share of seeds in which the fault is found by the detector made for it; for gaps also how often its size is held.

    Calibrators are fitted, and a gap's true size is read, on ``times`` as many patients.
    """
    told = [alarms(fault, seed, times)[fault] for seed in range(seeds)]
    share = sum(map(bool, told)) / seeds
    sizes = sorted(size for one in told for size in one)
    note = f"{seeds} seeds of {PATIENTS} patients"
    note += f"; sizes {sizes[0]:.3f} to {sizes[-1]:.3f}, median {sizes[len(sizes) // 2]:.3f}" if sizes else ""
    if fault in PLACES:
        truth = _gap(audited(fault, 1000, times * PATIENTS, times), *PLACES[fault])
        rows = [_gap(audited(fault, seed, PATIENTS, times), *PLACES[fault]) for seed in range(seeds)]
        held = sum(row.ci_low <= truth.gap <= row.ci_high for row in rows)
        note += f"; AUROC gap of {times} times as many {truth.gap:+.3f}, held by {held} of {seeds} intervals"
    return Measure(f"found_{fault}", share, 0.95, "higher", note, share, share)


def false_alarms(seeds: int, times: int) -> Measure:
    """Share of seeds without a fault in which any of the detectors raises an alarm about anything."""
    told = [alarms("", seed, times) for seed in range(seeds)]
    by_kind = ", ".join(f"{fault} {sum(bool(one[fault]) for one in told)}" for fault in FAULTS)
    share = sum(any(one.values()) for one in told) / seeds
    return Measure("false_alarms", share, 0.05, "lower", f"{seeds} seeds without a fault; by detector: {by_kind}", share, share)


@cache
def alarms(fault: str, seed: int, times: int) -> dict[str, list[float]]:
    """What each detector says about a sample with one fault (or none): the sizes of its alarms."""
    from medclassify.manifest.leakage import check_leakage

    crossing = check_leakage(_manifest(fault, seed)).findings
    return {**rung(audited(fault, seed, PATIENTS, times)), "patient_in_two_splits": [float(each.count) for each in crossing]}


def rung(result: AuditResult) -> dict[str, list[float]]:
    """The alarms of an audit, by the fault that each is made for.

    A gap alarms where its whole interval lies beyond the margin and it holds after Holm's adjustment; the attribute where
    the audit says that it gives the finding away; an intercept where it holds after Holm's.
    """
    from medclassify.audit import GapVerdict

    gaps = [row for row in result.gaps if row.metric == "auroc" and row.verdict is GapVerdict.FAIL and row.holds]
    return {
        "fainter_in_f": [abs(row.gap) for row in gaps if row.attribute == "sex" and row.gap is not None],
        "label_noise_site_b": [abs(row.gap) for row in gaps if row.attribute == "site" and row.gap is not None],
        "site_marker": [row.alone.value or 0.0 for row in result.confounding if row.alarm and row.shown],
        "miscalibrated_site_b": [abs(row.estimate.value or 0.0) for row in result.miscalibrated],
    }


@cache
def audited(fault: str, seed: int, patients: int, times: int) -> AuditResult:
    """The audit of one sample."""
    from medclassify.audit import compute_audit

    frame = _calibrated(_drawn(fault, seed, patients), _calibrators(fault, times))
    shift = SHIFT * ((frame["site"] == "B") if fault == "miscalibrated_site_b" else 0)
    frame["prob_cal"] = 1 / (1 + (1 / frame["prob_cal"] - 1) * 2.718281828 ** (-shift))
    frame["threshold"] = 0.3
    return compute_audit(
        frame, attributes=["sex", "site", "marker"], references={"sex": "M", "site": "A"}, bootstrap=100, seed=seed
    )


def _planted(fault: str) -> Any:
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


def _calibrated(frame: pd.DataFrame, calibrators: Mapping[Any, Any]) -> pd.DataFrame:
    """The samples with probabilities in the place of scores."""
    import pandas as pd

    parts = []
    for finding, part in frame.groupby("finding", sort=False):
        parts.append(part.assign(prob_cal=calibrators[finding].predict_proba(_design(part))[:, 1]))
    return pd.concat(parts).drop(columns="score").reset_index(drop=True)


@cache
def _calibrators(fault: str, times: int) -> dict[Any, Any]:
    """Logistic fits on ``times`` as many other patients, so that no alarm about calibration comes from the calibrator."""
    from sklearn.linear_model import LogisticRegression

    learnt = _drawn(fault, 5000, times * PATIENTS)
    return {
        finding: LogisticRegression(C=1e6, max_iter=500).fit(_design(part), part["target"])
        for finding, part in learnt.groupby("finding", sort=False)
    }


def _design(part: pd.DataFrame) -> np.ndarray:
    """The score, its square and cube, and the site, for sites differ in prevalence."""
    import numpy as np

    score = part["score"].to_numpy()
    return np.stack([score, score**2, score**3 / 10, part["site"] == "B"], axis=1).astype(np.float64)


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
