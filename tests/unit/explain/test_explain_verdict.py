"""What fails is said, for the method and for each finding; only a method without a failure passes."""

import json
from dataclasses import replace

import pytest

from medclassify.explain import Faithfulness, Gain, Resemblance, SanityVerdict
from medclassify.records import Estimate, Status


def resemblance(*by_finding: float) -> Resemblance:
    mean = sum(by_finding) / len(by_finding)
    return Resemblance("control", ("a", "b"), (0.9, mean), (0.5, 0.1), by_finding, 24)


def auroc(low: float | None) -> Estimate:
    if low is None:
        return Estimate(None, None, None, "", Status.NOT_ESTIMABLE, "n_pos=2")
    return Estimate(low + 0.1, low, low + 0.2, "logit-DeLong", Status.OK)


GAINS = (Gain("a random map of the same grain", 1.0, 0.5, 1.5), Gain("a Gaussian at the centre", 0.8, 0.1, 1.4))
GOOD = SanityVerdict(
    "grad_cam",
    resemblance(0.1, 0.3),
    resemblance(0.2, 0.2),
    Faithfulness(1.2, GAINS, 24, 20),
    {"a": auroc(0.7), "b": auroc(0.6)},
)


def test_a_method_without_a_failure_passes() -> None:
    told = json.loads(json.dumps(GOOD.to_json()))
    assert GOOD.passed and told["passed"] is True and told["reasons"] == []
    assert told["rank_correlation"] == [0.9, pytest.approx(0.2)] and told["stages"] == ["a", "b"]
    assert told["insertion_deletion"]["gains"][1]["passed"] is True
    assert {finding: each["passed"] for finding, each in told["findings"].items()} == {"a": True, "b": True}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"weights": resemblance(0.6, 0.6)}, "maps hardly change when the weights are made random"),
        ({"labels": resemblance(0.7, 0.4)}, "maps are much like those of a model that learnt shuffled labels"),
        ({"labels": None}, "not compared with a model of shuffled labels: too few labelled training images"),
        ({"faithful": None}, "not compared by insertion and deletion: no calibrate image shows a finding"),
        (
            {"faithful": Faithfulness(1.2, (GAINS[0], replace(GAINS[1], low=-0.1)), 24, 20)},
            "maps are not shown to move the logit more than a Gaussian at the centre",
        ),
        ({"auroc": {"a": auroc(0.45), "b": auroc(None)}}, "the model is not shown to tell any finding on the calibrate split"),
    ],
)
def test_each_failure_is_said_and_fails_the_method(changed: dict, said: str) -> None:
    verdict = replace(GOOD, **changed)
    assert verdict.reasons == (said,) and not verdict.passed and verdict.to_json()["passed"] is False


def test_a_finding_may_fail_alone() -> None:
    verdict = replace(GOOD, auroc={"a": auroc(0.7), "b": auroc(None)}, weights=resemblance(0.8, 0.1))
    assert verdict.passed
    assert verdict.finding_reasons(0) == ("its maps hardly change when the weights are made random",)
    assert verdict.finding_reasons(1) == ("the model is not shown to tell this finding on the calibrate split (n_pos=2)",)
    assert verdict.to_json()["findings"]["a"]["passed"] is False
