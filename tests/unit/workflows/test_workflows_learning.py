import pytest

from medclassify.training import HeadProbe, TrainingResult
from medclassify.workflows.learning import _better_head, _head_kept


def result(monitor: str, score: float) -> TrainingResult:
    return TrainingResult((), 1, monitor, score, stopped_early=False, step_share=1.0)


def probe(auroc: float | None) -> HeadProbe:
    return HeadProbe(0.01, auroc, (), ())


def test_a_head_that_no_epoch_came_up_to_is_kept() -> None:
    assert _better_head(probe(0.8525), result("tune_auroc", 0.7695)) == 0.8525
    line = _head_kept(0.8525, 0.7695)
    assert "its tune AUROC is 0.8525, and fine-tuning ends at 0.7695" in line and "--optimizer.recipe linear_probe" in line


@pytest.mark.parametrize(
    ("head", "training"),
    [
        (probe(0.76), result("tune_auroc", 0.77)),
        (probe(None), result("tune_auroc", 0.5)),
        (None, result("tune_auroc", 0.5)),
        (probe(0.9), result("tune_loss", 0.3)),
    ],
)
def test_and_what_was_fine_tuned_otherwise(head: HeadProbe | None, training: TrainingResult) -> None:
    assert _better_head(head, training) is None
