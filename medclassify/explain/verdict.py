"""Whether a model's maps by a method may be shown as what they claim to be: every check, its rule, and what failed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medclassify.explain.faithfulness import Faithfulness
from medclassify.explain.randomisation import LARGEST_CORRELATION, Resemblance
from medclassify.records import Estimate

RULE = (
    f"mean |rank correlation| with the maps of randomised weights, and with those of a top trained on shuffled labels, at most "
    f"{LARGEST_CORRELATION}; insertion less deletion above a random map's and a centred Gaussian's (95 % interval above 0); "
    "and the finding's AUROC on the calibrate split above 0.5 (95 % interval): who cannot tell a finding cannot explain it"
)


@dataclass(frozen=True, slots=True)
class SanityVerdict:
    """What the checks of one method on one model found.

    Attributes:
        method: The saliency method.
        weights: Against randomised weights.
        labels: Against shuffled labels, or None where it could not be made.
        faithful: Insertion and deletion, or None where no image shows a finding.
        auroc: Finding → its AUROC on the calibrate split.
    """

    method: str
    weights: Resemblance
    labels: Resemblance | None
    faithful: Faithfulness | None
    auroc: Mapping[str, Estimate]

    @property
    def passed(self) -> bool:
        """Nothing failed for the method as a whole; a finding may still fail (``finding_reasons``)."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """What failed for the method as a whole; empty where it passed."""
        failed = []
        if not self.weights.passed:
            failed.append("maps hardly change when the weights are made random")
        if self.labels is None:
            failed.append("not compared with a model of shuffled labels: too few labelled training images")
        elif not self.labels.passed:
            failed.append("maps are much like those of a model that learnt shuffled labels")
        if self.faithful is None:
            failed.append("not compared by insertion and deletion: no calibrate image shows a finding")
        else:
            beaten = [gain.baseline for gain in self.faithful.gains if not gain.passed]
            if beaten:
                failed.append(f"maps are not shown to move the logit more than {' or '.join(beaten)}")
        if not any(map(_tells, self.auroc.values())):
            failed.append("the model is not shown to tell any finding on the calibrate split")
        return tuple(failed)

    def finding_reasons(self, number: int) -> tuple[str, ...]:
        """What failed for one finding, by its place; empty where it passed."""
        estimate = list(self.auroc.values())[number]
        failed = []
        if not _tells(estimate):
            found = estimate.note if estimate.value is None else f"AUROC {estimate.value:.2f}, from {estimate.ci_low:.2f}"
            failed.append(f"the model is not shown to tell this finding on the calibrate split ({found})")
        if self.weights.by_finding[number] > LARGEST_CORRELATION:
            failed.append("its maps hardly change when the weights are made random")
        if self.labels is not None and self.labels.by_finding[number] > LARGEST_CORRELATION:
            failed.append("its maps are much like those of a model that learnt shuffled labels")
        return tuple(failed)

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the rule in words."""
        labels, faithful = self.labels, self.faithful
        return {
            "method": self.method,
            "passed": self.passed,
            "reasons": list(self.reasons),
            "rule": RULE,
            "control": self.weights.control,
            "stages": list(self.weights.stages),
            "rank_correlation": list(self.weights.rank_correlation),
            "ssim": list(self.weights.ssim),
            "n_maps": self.weights.n_maps,
            "labels": labels and {
                "control": labels.control,
                "rank_correlation": labels.rank_correlation[-1],
                "ssim": labels.ssim[-1],
                "note": labels.note,
            },
            "insertion_deletion": faithful and {
                "mean": faithful.mean,
                "n_maps": faithful.n_maps,
                "n_patients": faithful.n_patients,
                "gains": [{**asdict(gain), "passed": gain.passed} for gain in faithful.gains],
            },
            "findings": {finding: self._of_finding(number) for number, finding in enumerate(self.auroc)},
        }  # fmt: skip

    def _of_finding(self, number: int) -> dict[str, Any]:
        estimate, reasons = list(self.auroc.values())[number], self.finding_reasons(number)
        return {
            "passed": not reasons,
            "reasons": list(reasons),
            "auroc": estimate.value,
            "auroc_low": estimate.ci_low,
            "auroc_high": estimate.ci_high,
            "correlation_with_random_weights": self.weights.by_finding[number],
            "correlation_with_shuffled_labels": self.labels.by_finding[number] if self.labels else None,
        }


def _tells(estimate: Estimate) -> bool:
    """The model is shown to tell a finding: its AUROC lies above 0.5 with its interval."""
    return estimate.ci_low is not None and estimate.ci_low > 0.5
