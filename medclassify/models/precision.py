"""How exactly a GPU computes in float32: fast while weights are learnt, exact wherever a number is kept.

TF32 rounds the factors of products to 10 bits of mantissa and moves a logit in the third digit. That is harmless in a gradient
and not in a prediction, which must be the same whichever verb makes it. cuDNN convolves in TF32 unless it is told otherwise.
A CPU has no such switch, and nothing here touches it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Full float32 products and fixed algorithms within: repeated predictions are equal, by every verb."""
    with _products("highest"), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


@contextmanager
def fast_float32(*, repeatable: bool = False) -> Iterator[None]:
    """TF32 products within, on purpose, and the fastest of cuDNN's algorithms for the sizes that come.

    Args:
        repeatable: Fixed algorithms instead of the fastest, for bit-equal repeats.
    """
    if not torch.cuda.is_available():  # "high" would be a CPU's own, lower precision
        yield
        return
    with (
        _products("high"),
        torch.backends.cudnn.flags(enabled=True, benchmark=not repeatable, deterministic=repeatable, allow_tf32=True),
    ):
        yield


@contextmanager
def _products(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
