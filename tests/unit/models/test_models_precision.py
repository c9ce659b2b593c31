"""Numeric modes hold within their block, and leave what was there before."""

import pytest
import torch

from medclassify.models.precision import exact_float32, fast_float32


def modes() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic


def test_predictions_are_exact_and_fixed_and_the_mode_ends_with_an_error_too() -> None:
    before = modes()
    with exact_float32():
        assert modes() == ("highest", False, False, True)
    assert modes() == before
    with pytest.raises(ValueError, match="stop"), exact_float32():
        raise ValueError("stop")
    assert modes() == before


@pytest.mark.parametrize("repeatable", [True, False])
def test_training_takes_tf32_on_a_gpu_alone(repeatable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = modes()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with fast_float32(repeatable=repeatable):
        assert modes() == before
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with fast_float32(repeatable=repeatable):
        assert modes() == ("high", True, not repeatable, repeatable)
        with exact_float32():  # a score asked for while training is exact
            assert modes() == ("highest", False, False, True)
        assert modes()[:2] == ("high", True)
    assert modes() == before
