import pytest

from medclassify.training import HeadProbe, TrainingResult
from medclassify.workflows.learning import _below_the_head


def result(monitor: str, score: float) -> TrainingResult:
    return TrainingResult((), 1, monitor, score, stopped_early=False, step_share=1.0)


def probe(auroc: float | None) -> HeadProbe:
    return HeadProbe(0.01, auroc, (), ())


def test_fine_tuning_that_ends_below_the_head_is_told() -> None:
    (line,) = _below_the_head(probe(0.8525), result("tune_auroc", 0.7695))
    assert "tune AUROC 0.7695, the head 0.8525" in line and "--optimizer.recipe linear_probe" in line


@pytest.mark.parametrize(
    ("head", "training"),
    [
        (probe(0.76), result("tune_auroc", 0.77)),
        (probe(None), result("tune_auroc", 0.5)),
        (None, result("tune_auroc", 0.5)),
        (probe(0.9), result("tune_loss", 0.3)),
    ],
)
def test_and_nothing_is_said_otherwise(head: HeadProbe | None, training: TrainingResult) -> None:
    assert _below_the_head(head, training) == ()
