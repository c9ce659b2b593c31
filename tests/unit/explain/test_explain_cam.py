"""Grad-CAM in closed form equals the gradient's; maps go back to where they came from."""

import numpy as np
import pytest
import torch

from medclassify.explain import cascading_randomisation, class_activation_maps, saliency_limit, to_image_geometry
from medclassify.models import create_network
from medclassify.records import PreparedGeometry


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_network("test_efficientnet", 3).eval()


def test_closed_form_equals_grad_cam_by_backpropagation(network) -> None:
    images = torch.randn(2, 3, 96, 96)
    logits, maps = class_activation_maps(network, images)
    for k in range(3):
        features = network.forward_features(images).detach().requires_grad_()
        logit = network.forward_head(features)[:, k]
        gradient = torch.autograd.grad(logit.sum(), features)[0]
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        expected = (weights * features).sum(dim=1)
        assert torch.allclose(maps[:, k], expected, atol=1e-5)
        assert torch.allclose(logits[:, k], logit, atol=1e-5)


def test_a_map_sums_to_its_logit_less_the_bias(network) -> None:
    with torch.no_grad():
        network.get_classifier().bias.copy_(torch.tensor([0.5, -1.0, 2.0]))
    logits, maps = class_activation_maps(network, torch.randn(4, 3, 96, 96))
    assert torch.allclose(maps.sum(dim=(2, 3)) + network.get_classifier().bias, logits, atol=1e-4)


def test_limit_is_per_finding_and_zero_where_nothing_speaks_for_it() -> None:
    maps = np.zeros((5, 2, 4, 4), np.float32)
    maps[:, 0] = np.linspace(0, 10, 80).reshape(5, 4, 4)
    maps[:, 1] = -1
    limits = saliency_limit(maps)
    assert 9.5 < limits[0] <= 10 and limits[1] == 0


def test_a_bright_spot_returns_to_its_own_pixel() -> None:
    geometry = PreparedGeometry(rows=300, columns=200, size=96, top=0, left=16, height=96, width=64)
    square = np.zeros((96, 96), np.float32)
    square[24, 16 + 48] = 1  # a quarter down, three quarters across the original
    back = to_image_geometry(square, geometry)
    assert back.shape == (300, 200) and back.dtype == np.float32
    row, column = np.unravel_index(back.argmax(), back.shape)
    assert abs(row - 300 * 24.5 / 96) <= 2 and abs(column - 200 * 48.5 / 64) <= 2


def test_randomising_changes_a_learnt_map_and_leaves_the_network_alone(network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    result = cascading_randomisation(network, torch.randn(6, 3, 96, 96), seed=3)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert result.stages[0] == "classifier" and result.stages[-1] == "bn1" and result.n_maps == 18
    assert len(result.rank_correlation) == len(result.stages) == len(result.ssim)
    assert result.passed == (result.rank_correlation[-1] <= 0.5)


def test_maps_that_do_not_depend_on_the_weights_fail(network, monkeypatch: pytest.MonkeyPatch) -> None:
    from medclassify.explain import sanity

    def edges(network, images):  # a planted fault: an edge detector in the place of an explanation
        maps = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True).abs(), 16)
        return torch.zeros(len(images), 3), maps.expand(-1, 3, -1, -1)

    monkeypatch.setattr(sanity, "class_activation_maps", edges)
    result = cascading_randomisation(network, torch.randn(4, 3, 96, 96))
    assert not result.passed and result.rank_correlation[-1] > 0.99
