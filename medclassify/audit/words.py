"""Numbers and verdicts as a reader sees them, the same everywhere in the report."""

from collections.abc import Mapping

from medclassify.records import Estimate, Status

RATES = ("sensitivity", "specificity", "ppv", "npv", "fnr", "fpr")
LABELS = {
    "auroc": "AUROC",
    "bpsn_auroc": "AUROC, others’ positives against its negatives (BPSN)",
    "bnsp_auroc": "AUROC, its positives against others’ negatives (BNSP)",
    "auprc": "AUPRC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "fnr": "Missed (FNR)",
    "fpr": "False alarms (FPR)",
    "brier": "Brier score",
    "ece": "ECE",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
    "oe_ratio": "Observed ÷ expected",
    "coverage_present": "Sets that hold the finding",
    "coverage_absent": "Sets that hold its absence",
    "referred": "To a person",
}
_MINUS = "−"
_WIDE_SLOPE = 0.6


def number(value: float, metric: str) -> str:
    """One value in its metric's form: ``.912`` for AUROC and other scores in [0, 1], ``91.2 %`` for rates, ``0.97`` else."""
    if metric in RATES or metric in ("prevalence", "coverage_present", "coverage_absent", "referred"):
        return f"{_signed(100 * value, 1)} %"
    if metric in {"auroc", "bpsn_auroc", "bnsp_auroc", "auprc", "brier", "ece", "p"}:
        text = _signed(value, 3)
        return text.replace("0.", ".", 1) if text.lstrip(_MINUS).startswith("0.") else text
    return _signed(value, 2)


def p_value(p: float | None) -> str:
    """``.032``, ``< .001`` or a dash where there is none."""
    if p is None or p != p:
        return "–"
    return "< .001" if p < 0.001 else number(p, "p")


def estimate_text(estimate: Estimate, metric: str, *, n_pos: int, n_neg: int) -> str:
    """``.912 (.874–.941)``, or ``not estimable (n₊=3)``; never blank."""
    if estimate.status is Status.NOT_ESTIMABLE or estimate.value is None:
        return not_estimable(estimate, n_pos=n_pos, n_neg=n_neg)
    value = number(estimate.value, metric)
    if estimate.ci_low is None or estimate.ci_high is None:
        return value
    return f"{value} ({span(estimate.ci_low, estimate.ci_high, metric)})"


def not_estimable(estimate: Estimate, *, n_pos: int, n_neg: int) -> str:
    """Why a number is not given, by the scarcer class."""
    reason = with_signs(estimate.note) or (f"n₊={n_pos}" if n_pos <= n_neg else f"n₋={n_neg}")
    return f"not estimable ({reason})"


def with_signs(note: str) -> str:
    """A note for readers: ``n_pos=3`` as ``n₊=3``."""
    for name, sign in (
        ("n_pos", "n₊"),
        ("n_neg", "n₋"),
        ("called_positive", "called positive"),
        ("called_negative", "called negative"),
    ):
        note = note.replace(name, sign)
    return note


def span(low: float, high: float, metric: str) -> str:
    """The two limits; the unit stands once, and ``to`` parts limits that carry a sign."""
    first, last = number(low, metric), number(high, metric)
    unit = " %" if first.endswith(" %") else ""
    dash = " to " if _MINUS in first + last else "–"
    return f"{first.removesuffix(unit) if unit else first}{dash}{last.removesuffix(unit) if unit else last}"


def gap_number(value: float, metric: str) -> str:
    """A difference with its sign: ``−.034`` for AUROC, ``+4.1`` percentage points for rates."""
    if metric in RATES:
        text = _signed(100 * value, 1)
    else:
        text = _signed(value, 3).replace("0.", ".", 1) if abs(value) < 1 else _signed(value, 3)
    return text if text.startswith(_MINUS) or float(text) == 0 else f"+{text}"


def gap_text(gap: float, low: float, high: float, metric: str) -> str:
    """A difference with its interval: ``−.034 (−.089 to +.021)``, ``+4.1 (−2.0 to +9.8) points``."""
    unit = " points" if metric in RATES else ""
    return f"{gap_number(gap, metric)} ({gap_number(low, metric)} to {gap_number(high, metric)}){unit}"


def calibration_words(estimates: Mapping[str, Estimate]) -> str:
    """Intercept, slope, observed ÷ expected and ECE of one finding in words.

    Source: Van Calster et al. 2016, J Clin Epidemiol 74:167 (levels of calibration and what intercept and slope say).
    """
    intercept = estimates.get("calibration_intercept")
    if intercept is None or intercept.value is None:
        return "Not estimable: too few samples with or without the finding."
    ratio = estimates.get("oe_ratio")
    shown = "" if ratio is None or ratio.value is None else estimate_text(ratio, "oe_ratio", n_pos=0, n_neg=0)
    shift = _on_average(intercept) + (f": observed ÷ expected {shown}" if shown else "")
    return f"{shift}. {_spread(estimates.get('calibration_slope'))} {_ece(estimates.get('ece'))}".strip()


def beside_band(ece: Estimate | None) -> str:
    """``above`` or ``below`` where an ECE lies outside its null band, else empty."""
    if ece is None or ece.value is None or ece.ci_low is None or ece.ci_high is None:
        return ""
    rounding = 1e-9  # a value may be the band's own end, summed in another order
    return "above" if ece.value > ece.ci_high + rounding else "below" if ece.value < ece.ci_low - rounding else ""


def band_text(ece: Estimate) -> str:
    """The null band, in words that nobody takes for an interval: ``calibrated models show .038 to .089``."""
    assert ece.ci_low is not None
    assert ece.ci_high is not None
    return f"calibrated models show {number(ece.ci_low, 'ece')} to {number(ece.ci_high, 'ece')}"


def _on_average(intercept: Estimate) -> str:
    if intercept.ci_low is not None and intercept.ci_low > 0:
        return "Too low on average"
    if intercept.ci_high is not None and intercept.ci_high < 0:
        return "Too high on average"
    return "No shift seen"


def _spread(slope: Estimate | None) -> str:
    if slope is None or slope.value is None or slope.ci_low is None or slope.ci_high is None:
        return "Over- or underconfidence: too few samples."
    if slope.ci_high < 1:
        return "Too extreme (overconfident)."
    if slope.ci_low > 1:
        return "Too cautious (underconfident)."
    if slope.ci_high - slope.ci_low > _WIDE_SLOPE:
        return f"Over- or underconfidence: uncertain (slope {span(slope.ci_low, slope.ci_high, 'calibration_slope')})."
    return "No over- or underconfidence seen."


def _ece(ece: Estimate | None) -> str:
    """Nothing where the ECE lies within its band: that is no evidence either way."""
    side = beside_band(ece)
    if not side or ece is None or ece.value is None:
        return ""
    said = f"ECE {number(ece.value, 'ece')}, where {band_text(ece)}"
    if side == "above":
        return f"Miscalibrated: {said}."
    return f"Closer than chance leaves a calibrated model ({said}): were these samples used to calibrate?"


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", _MINUS)
