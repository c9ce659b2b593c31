"""Losses by hand, against an independent implementation, with masks and soft targets, and at logits that overflow."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchvision.ops import sigmoid_focal_loss

from medclassify.manifest import apply_uncertainty
from medclassify.manifest.uncertainty import UNCERTAIN_TARGET
from medclassify.training.loss import asymmetric_terms, focal_terms, losses_of, mean_of_known

MULTILABEL = ("cross_entropy", "focal", "asymmetric")
EVERY = [("multilabel", name) for name in MULTILABEL] + [("multiclass", "cross_entropy"), ("multiclass", "focal")]
each = pytest.mark.parametrize(("task", "name"), EVERY)


def loss_of(
    task: str, name: str, logits: Tensor, targets: Tensor, mask: Tensor, weights: Tensor, smoothing: float = 0.0
) -> Tensor:
    return mean_of_known(*losses_of(task, name)(logits, targets, mask, weights, smoothing))


def drawn(shape: tuple[int, int] = (64, 5)) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator) * 3
    targets = (torch.rand(shape, generator=generator) < 0.3).float()
    return logits, targets, (torch.rand(shape, generator=generator) < 0.8).float()


def test_cross_entropy_is_the_mean_over_known_labels() -> None:
    logits, ones = torch.tensor([[2.0, -1.0], [0.5, 3.0]]), torch.ones(2)
    targets, mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    expected = (math.log1p(math.exp(-2.0)) + math.log1p(math.exp(0.5)) + math.log1p(math.exp(-3.0))) / 3
    assert float(loss_of("multilabel", "cross_entropy", logits, targets, mask, ones)) == pytest.approx(expected, rel=1e-6)
    assert float(loss_of("multilabel", "cross_entropy", logits, targets, torch.zeros(2, 2), ones)) == 0


@pytest.mark.parametrize(
    ("name", "present", "absent"),
    [  # at p = 0.6, for a label that is present and one that is absent
        ("cross_entropy", -math.log(0.6), -math.log(0.4)),
        ("focal", 0.4**2 * -math.log(0.6), 0.6**2 * -math.log(0.4)),
        ("asymmetric", 0.4 * -math.log(0.6), 0.55**4 * -math.log(0.45)),
    ],
)
def test_values_by_hand_with_weights_smoothing_and_uncertain_labels(name: str, present: float, absent: float) -> None:
    logit, known = torch.tensor([[math.log(0.6 / 0.4)]]), torch.ones(1, 1)

    def value(target: float, weight: float = 1.0, smoothing: float = 0.0) -> float:
        return float(loss_of("multilabel", name, logit, torch.tensor([[target]]), known, torch.tensor([weight]), smoothing))

    assert value(1.0) == pytest.approx(present, rel=1e-5) and value(0.0) == pytest.approx(absent, rel=1e-5)
    assert value(1.0, weight=3.0) == pytest.approx(3 * present, rel=1e-5)
    assert value(0.0, weight=3.0) == pytest.approx(absent, rel=1e-5)
    assert value(1.0, smoothing=0.2) == pytest.approx(0.9 * present + 0.1 * absent, rel=1e-5)
    targets, mask, _ = apply_uncertainty(torch.tensor([[-1.0]]).double().numpy(), "soft", ("a",))
    assert mask.all()
    assert value(float(targets[0, 0])) == pytest.approx(UNCERTAIN_TARGET * present + (1 - UNCERTAIN_TARGET) * absent, rel=1e-5)


def test_an_absent_label_below_the_margin_costs_nothing() -> None:
    logits = torch.tensor([[math.log(0.04 / 0.96)]], requires_grad=True)
    loss = asymmetric_terms(logits, torch.zeros(1, 1), torch.ones(1)).sum()
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and float(logits.grad) == 0


def test_focal_agrees_with_torchvision_and_without_gamma_with_cross_entropy() -> None:
    logits, targets, _ = drawn()
    ones = torch.ones(5)
    theirs = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=2.0, reduction="none")
    torch.testing.assert_close(focal_terms(logits, targets, ones), theirs)
    soft = targets * 0.7 + 0.1
    plain, _ = losses_of("multilabel", "cross_entropy")(logits, soft, torch.ones_like(soft), ones * 4, 0.0)
    torch.testing.assert_close(focal_terms(logits, soft, ones * 4, gamma=0.0), plain)


def test_multiclass_cross_entropy_is_torchs_and_leaves_unknown_samples_out() -> None:
    logits, ones = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 5.0], [0.0, 4.0, 0.0]]), torch.ones(3)
    targets = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    loss = loss_of("multiclass", "cross_entropy", logits, targets, mask, ones)
    torch.testing.assert_close(loss, cross_entropy(logits[:1], torch.tensor([1])))
    smooth = loss_of("multiclass", "cross_entropy", logits[:1], targets[:1], mask[:1], ones, 0.1)
    torch.testing.assert_close(smooth, cross_entropy(logits[:1], torch.tensor([1]), label_smoothing=0.1))


def test_multiclass_focal_by_hand_for_one_hot_and_mixed_targets() -> None:
    shares, known = torch.tensor([[0.5, 0.3, 0.2]]), torch.ones(1, 3)
    terms = [(1 - p) ** 2 * -math.log(p) for p in (0.5, 0.3, 0.2)]
    for target in ([0.0, 1.0, 0.0], [0.25, 0.0, 0.75]):
        loss = loss_of("multiclass", "focal", shares.log(), torch.tensor([target]), known, torch.tensor([1.0, 2.0, 1.0]))
        expected = sum(share * weight * term for share, weight, term in zip(target, (1, 2, 1), terms, strict=True))
        assert float(loss) == pytest.approx(expected, rel=1e-5)


@each
def test_what_is_not_labelled_has_no_gradient_and_what_is_has_one(task: str, name: str) -> None:
    logits, targets, mask = drawn()
    if task == "multiclass":
        targets = torch.eye(5)[torch.arange(64) % 5]
        mask = mask[:, :1].expand(-1, 5)
    logits = logits.clamp(-2, 2).requires_grad_()
    loss = loss_of(task, name, logits, targets, mask, torch.full((5,), 2.0), 0.1)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[mask == 0] == 0).all() and (logits.grad[mask == 1] != 0).all()
    other = torch.where(mask == 0, 1 - targets, targets)
    assert torch.equal(loss, loss_of(task, name, logits, other, mask, torch.full((5,), 2.0), 0.1))


@each
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_no_logit_is_too_large(task: str, name: str, kind: torch.dtype) -> None:
    rows = [[a, b] for a, b in itertools.product((-100.0, -20.0, 0.0, 20.0, 100.0), repeat=2)]
    for target in ([1.0, 0.0], [0.0, 1.0], [0.7, 0.3]):
        logits = torch.tensor(rows, dtype=kind, requires_grad=True)
        targets = torch.tensor([target] * len(rows))
        losses, known = losses_of(task, name)(logits, targets, torch.ones_like(targets), torch.full((2,), 10.0), 0.0)
        mean_of_known(losses, known).backward()
        assert logits.grad is not None and losses.dtype == torch.float32
        assert losses.isfinite().all() and (losses >= 0).all() and logits.grad.isfinite().all()
    confidently_wrong, _ = losses_of(task, name)(torch.tensor([[100.0, -100.0]], dtype=kind), torch.tensor([[0.0, 1.0]]),
                                                 torch.ones(1, 2), torch.ones(2), 0.0)  # fmt: skip
    assert float(confidently_wrong.max()) > 2  # the loss of a blunder does not vanish in the arithmetic


@pytest.mark.parametrize("name", MULTILABEL)
def test_a_gradient_is_the_slope_of_the_loss(name: str) -> None:
    logits, targets, mask = (part.double() for part in drawn((6, 3)))
    ones = torch.ones(3, dtype=torch.float64)

    def of(value: Tensor) -> Tensor:
        return loss_of("multilabel", name, value, targets * 0.7 + 0.1, mask, ones)

    assert torch.autograd.gradcheck(of, logits.requires_grad_())
