"""Augmentation does what it says: exact curves, the reference's geometry, normal noise, all of it repeatable."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from medclassify.data import RandAffineBatch, RandIntensityBatch, RandNoiseBatch, augmentation, to_network_input
from medclassify.data.transforms import to_device
from medclassify.records import Preprocessing


def stored(count: int = 8, channels: int = 1, side: int = 48) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, channels, side, side), dtype=np.uint8))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_table_of_256_levels_is_the_formula(channels: int) -> None:
    images, transform = stored(channels=channels), RandIntensityBatch(1.0)
    transform.set_random_state(seed=1)
    found = transform(images).double().numpy()
    gamma, contrast, brightness = transform.factors.astype(np.float64)[:, :, None, None, None]
    curved = (images.double().numpy() / 255) ** np.exp(gamma)
    expected = ((curved - 0.5) * (1 + contrast) + 0.5 + brightness).clip(0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(transform.factors, axis=1).min() > 0.1  # each sample has a curve of its own


def test_floats_take_the_same_curve_as_the_stored_levels() -> None:
    images, transform = stored(), RandIntensityBatch(0.7)
    by_table = transform.set_random_state(seed=3)(images)  # type: ignore[operator]
    by_formula = transform.set_random_state(seed=3)(images.float() / 255)  # type: ignore[operator]
    assert torch.equal(by_table, by_formula)


def test_curves_are_as_wide_as_the_strength_allows() -> None:
    transform = RandIntensityBatch(0.5)
    transform.set_random_state(seed=0)
    transform.randomize(20_000)
    for drawn, widest in zip(transform.factors, (0.25, 0.125, 0.075), strict=True):
        assert stats.kstest(drawn, stats.uniform(-widest, 2 * widest).cdf).pvalue > 0.001


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(48, 48), (40, 64)])
def test_the_affine_is_torchs_reference(size: tuple[int, int], channels: int) -> None:
    smooth = torch.nn.functional.avg_pool2d(torch.rand(5, channels, *size), 5, stride=1, padding=2)
    transform = RandAffineBatch(rotate=0.5, scale=0.3, shift=0.2)
    transform.set_random_state(seed=1)
    moved = transform(smooth)
    grid = torch.nn.functional.affine_grid(torch.from_numpy(transform.matrices), list(smooth.shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(smooth, grid, align_corners=False)
    assert float((moved - expected).abs().max()) < 1 / 255
    assert float((moved - expected).abs().mean()) < 2e-4
    # the way of a GPU, on this device
    on_gpu = torch.nn.functional.grid_sample(smooth, transform._grid(smooth), align_corners=False)
    torch.testing.assert_close(on_gpu, expected, atol=1e-4, rtol=0)


def test_nothing_is_moved_by_a_transform_of_no_width() -> None:
    images = stored().float() / 255
    torch.testing.assert_close(RandAffineBatch(0, 0, 0)(images), images, atol=1e-5, rtol=0)


def test_noise_is_normal_independent_and_as_strong_as_drawn() -> None:
    grey, transform = torch.full((6, 1, 224, 224), 0.5), RandNoiseBatch(0.03)
    transform.set_random_state(seed=2)
    noise = (transform(grey) - grey).flatten(1).double().numpy()
    deviation = np.abs(transform.amounts[:, 0])
    assert deviation.min() > 1e-4 and deviation.max() <= 0.03
    unit = noise / deviation[:, None]
    n = unit.shape[1]
    assert np.abs(unit.mean(axis=1)).max() < 4.5 / np.sqrt(n)
    assert np.abs(unit.std(axis=1) - 1).max() < 4.5 / np.sqrt(2 * n)
    assert all(stats.kstest(one, "norm").pvalue > 1e-4 for one in unit)
    for step in (1, 224):  # neighbours along a row and along a column
        assert np.abs((unit[:, step:] * unit[:, :-step]).mean(axis=1)).max() < 4.5 / np.sqrt(n)
    between = np.corrcoef(unit) - np.eye(6)
    assert np.abs(between).max() < 4.5 / np.sqrt(n)


def test_noise_differs_from_step_to_step_and_stays_within_the_range() -> None:
    transform = RandNoiseBatch(0.03)
    black = torch.zeros(2, 1, 32, 32)
    first, second = transform(black), transform(black)
    assert not torch.equal(first, second)
    assert float(first.min()) == 0 and float(transform(torch.ones(2, 1, 32, 32)).max()) == 1
    assert not black.any()  # what came in is left as it was


@pytest.mark.parametrize("make", [lambda: stored(), lambda: stored().float() / 255, lambda: stored(channels=3)])
def test_the_same_seed_draws_the_same_whatever_else_was_drawn(make: Callable[[], torch.Tensor]) -> None:
    images, transform = make(), augmentation(0.5)
    first = transform.set_random_state(seed=7)(images)
    torch.manual_seed(123)
    np.random.seed(5)  # noqa: NPY002
    again = augmentation(0.5).set_random_state(seed=7)(images)
    assert torch.equal(first, again) and first.dtype == torch.float32  # type: ignore[arg-type, union-attr]
    assert not torch.equal(first, augmentation(0.5).set_random_state(seed=8)(images))  # type: ignore[arg-type]


def test_no_strength_changes_nothing() -> None:
    images = stored()
    assert torch.equal(augmentation(0)(images), images)  # type: ignore[arg-type]


def test_constants_made_in_inference_serve_training() -> None:
    facts = Preprocessing(48, (0.41, 0.42, 0.43), (0.2, 0.21, 0.22), "bilinear", "voi")
    with torch.inference_mode():
        to_network_input(stored(), facts)
    scale = torch.ones(1, requires_grad=True)
    (to_network_input(stored().float() / 255 * scale, facts)).sum().backward()
    assert scale.grad is not None and float(scale.grad) != 0


@pytest.mark.gpu
def test_a_gpu_augments_like_a_cpu_and_is_never_waited_for() -> None:
    images, device = stored(32, side=128), torch.device("cuda")
    facts = Preprocessing(128, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")
    on_gpu, transform = images.to(device), augmentation(0.5)
    expected = transform.set_random_state(seed=1)(images)
    to_network_input(transform(on_gpu), facts)  # type: ignore[arg-type]  # constants are there from here on
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = transform.set_random_state(seed=1)(on_gpu)
        to_network_input(found, facts)  # type: ignore[arg-type]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.cpu(), expected, atol=1 / 255, rtol=0)  # type: ignore[union-attr, arg-type]


def test_small_arrays_reach_the_cpu_as_they_are() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert to_device(values, torch.device("cpu")).tolist() == values.tolist()
