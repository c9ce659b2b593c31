"""Explained cases as the gallery shows them."""

import base64

from medclassify.audit.facts import ExplainedCase
from medclassify.audit.words import number

_TRUTH = {1: "present", 0: "absent", None: "not labelled"}


def case_view(case: ExplainedCase) -> dict[str, str]:
    """One explained case as the gallery shows it."""
    called = case.probability >= case.threshold
    right = {None: "", 1: " (right)" if called else " (missed)", 0: " (false alarm)" if called else " (right)"}[case.target]
    call = ("called" if called else "not called") + right
    truth, probability = _TRUTH[case.target], number(case.probability, "auroc")
    return {
        "sample_id": case.sample_id,
        "finding": case.finding,
        "call": call,
        "truth": truth,
        "probability": probability,
        "threshold": number(case.threshold, "auroc"),
        "alt": f"Saliency of {case.finding} over sample {case.sample_id}: {call}, label {truth}, probability {probability}",
        "png": base64.b64encode(case.overlay_png).decode("ascii"),
    }
