import numpy as np
import pytest

from medclassify.errors import ManifestError
from medclassify.manifest import apply_uncertainty, uncertainty_notes, uncertainty_policies
from medclassify.manifest.uncertainty import UNCERTAIN_TARGET, UncertainCount

FINDINGS = ("Atelectasis", "Edema", "Mass", "Nodule")
LABELS = np.array([[1, 0, -1, np.nan], [-1, -1, -1, -1], [0, np.nan, 1, 0]], dtype=np.float64)


@pytest.mark.parametrize(("policy", "value"), [("zeros", 0.0), ("ones", 1.0), ("soft", UNCERTAIN_TARGET), ("ignore", None)])
def test_a_policy_touches_uncertain_labels_only(policy: str, value: float | None) -> None:
    targets, mask, counts = apply_uncertainty(LABELS, policy, FINDINGS)
    uncertain, known = LABELS == -1, np.isin(LABELS, (0, 1))
    np.testing.assert_array_equal(targets[known], LABELS[known])
    assert mask[known].all()
    assert not mask[np.isnan(LABELS)].any()
    assert (mask[uncertain] == (value is not None)).all()
    assert (targets[uncertain] == (value or 0.0)).all()
    assert not targets[~mask].any()
    assert [(count.finding, count.labels) for count in counts] == [
        ("Atelectasis", 1), ("Edema", 1), ("Mass", 2), ("Nodule", 1),
    ]  # fmt: skip
    assert targets.dtype == np.float64
    assert mask.dtype == np.bool_


def test_a_policy_a_finding() -> None:
    policy = {"default": "zeros", "Atelectasis": "ones", "Nodule": "ignore", "Mass": "soft"}
    targets, mask, counts = apply_uncertainty(LABELS, policy, FINDINGS)
    assert targets[1].tolist() == [1.0, 0.0, UNCERTAIN_TARGET, 0.0]
    assert mask[1].tolist() == [True, True, True, False]
    assert uncertainty_notes(counts, "train") == [
        "uncertain: 1 Edema labels taken as 0 in train",
        "uncertain: 1 Atelectasis labels taken as 1 in train",
        "uncertain: 2 Mass labels taken as 0.7 in train",
        "uncertain: 1 Nodule labels masked in train",
    ]


def test_without_a_default_the_rest_is_ignored() -> None:
    assert uncertainty_policies({"Edema": "ones"}, FINDINGS) == ["ignore", "ones", "ignore", "ignore"]


def test_findings_of_one_policy_share_a_line_and_without_any_there_is_none() -> None:
    counts = [UncertainCount("Atelectasis", "ones", 120), UncertainCount("Edema", "ones", 31)]
    assert uncertainty_notes(counts, "train") == ["uncertain: 120 Atelectasis, 31 Edema labels taken as 1 in train"]
    assert apply_uncertainty(np.array([[1.0, 0.0]]), "ones", ("a", "b"))[2] == []


def test_the_soft_value_has_the_mean_gradient_of_pham_s_draws() -> None:
    """Cross-entropy is linear in its target: a draw from U(0.55, 0.85) for each label has the gradient of its mean."""
    draws = np.random.default_rng(0).uniform(0.55, 0.85, 200_000)
    probability = 0.3
    assert float(np.mean(probability - draws)) == pytest.approx(probability - UNCERTAIN_TARGET, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "hint"), [("Atelectasi", r"did you mean 'Atelectasis'\?"), ("xyz", "the findings are Atelectasis, Edema")]
)
def test_a_finding_that_is_not_there_is_named(name: str, hint: str) -> None:
    with pytest.raises(ManifestError, match=rf"data\.uncertain names no finding '{name}'; {hint}"):
        apply_uncertainty(LABELS, {name: "ones"}, FINDINGS)
