"""Closed forms equal what backpropagation and captum find; every method keeps the one interface; other heads are refused."""

import copy
from typing import get_args

import pytest
import torch
from captum.attr import LayerGradCam, Occlusion
from torch import nn

from medclassify.config.schema import SaliencyMethod
from medclassify.errors import ConfigError, ExplainError
from medclassify.explain import METHODS, class_activation_maps, saliency_method
from medclassify.models import create_network

FAMILY = ("test_efficientnet", "efficientnet_b0", "tf_efficientnetv2_b0", "tf_efficientnet_lite0", "efficientnet_es")
SIDE = 64


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_network("test_efficientnet", 3).eval()


def by_captum(network: nn.Module, images: torch.Tensor, finding: int) -> torch.Tensor:
    explainer = LayerGradCam(network, network.bn2)
    return explainer.attribute(images.clone().requires_grad_(), target=finding, relu_attributions=False)[:, 0].detach()


def near(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> bool:
    """Within 1e-5, of the largest value where that is above 1: random weights make maps of any size."""
    return bool((found - expected).abs().max() <= tolerance * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("backbone", FAMILY)
def test_the_closed_form_is_captums_grad_cam(backbone: str) -> None:
    torch.manual_seed(1)
    network = create_network(backbone, 14).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)  # frozen: what hooks on gradients stumble over
    images = torch.randn(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        logits, maps = class_activation_maps(network, images)
        one = METHODS["grad_cam"].maps(network, images, [5])
    assert maps.shape[:2] == (2, 14) and not logits.requires_grad
    assert torch.equal(one[:, 0], METHODS["grad_cam"].maps(network, images, [5])[:, 0])
    for finding in (0, 5, 13):
        expected = by_captum(network, images, finding)
        assert expected.abs().max() > 0
        assert near(maps[:, finding], expected)
    assert near(one[:, 0], maps[:, 5])


def test_activations_change_their_input_in_place_and_nothing_is_left_behind(network) -> None:
    assert any(getattr(module, "inplace", False) for module in network.modules())
    images = torch.randn(1, 3, 32, 32)
    before = images.clone()
    for method in METHODS.values():
        first = method.maps(network, images, [2])
        assert torch.equal(first, method.maps(network, images, [2])), method.name
        assert torch.equal(images, before), method.name
    assert not any(hooks for module in network.modules() for hooks in (module._forward_hooks, module._backward_hooks))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_bf16_adds_no_error_of_its_own(network) -> None:
    low = copy.deepcopy(network).to(torch.bfloat16)
    images = torch.randn(2, 3, SIDE, SIDE)
    logits, maps = class_activation_maps(low, images.bfloat16())
    assert maps.dtype == logits.dtype == torch.float32
    with torch.inference_mode():
        features = low.forward_features(images.bfloat16())
    tail = nn.Sequential(nn.Identity(), copy.deepcopy(low.global_pool), copy.deepcopy(low.classifier)).float()
    for finding in range(3):
        exact = LayerGradCam(tail, tail[0]).attribute(features.float().clone().requires_grad_(), target=finding)
        assert near(maps[:, finding], exact[:, 0].detach())
        rounded = by_captum(low, images.bfloat16(), finding).float()
        assert near(maps[:, finding] / rounded.abs().max(), rounded / rounded.abs().max(), 2**-6)


def test_a_map_sums_to_its_logit_less_the_bias(network) -> None:
    with torch.no_grad():
        network.get_classifier().bias.copy_(torch.tensor([0.5, -1.0, 2.0]))
    logits, maps = class_activation_maps(network, torch.randn(4, 3, 96, 96))
    assert torch.allclose(maps.sum(dim=(2, 3)) + network.get_classifier().bias, logits, atol=1e-4)


def last_gradients(network, images, finding):
    features = network.forward_features(images).detach().requires_grad_()
    gradient = torch.autograd.grad(network.forward_head(features)[:, finding].sum(), features)[0]
    return features.detach(), gradient


def test_hires_cam_of_the_last_maps_is_grad_cam(network) -> None:
    images = torch.randn(2, 3, SIDE, SIDE)
    features, gradient = last_gradients(network, images, 1)
    assert near((gradient * features).sum(1), class_activation_maps(network, images)[1][:, 1])


def test_grad_cam_pp_is_what_its_paper_says(network) -> None:
    images = torch.randn(2, 3, 96, 96)
    maps = METHODS["grad_cam_pp"].maps(network, images, range(3))
    for finding in range(3):
        features, g = last_gradients(network, images, finding)
        below = 2 * g**2 + features.sum(dim=(2, 3), keepdim=True) * g**3
        alpha = torch.where(below != 0, g**2 / below, torch.zeros_like(g))
        weights = (alpha * g.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
        assert near(maps[:, finding], (weights * features).sum(1))


@pytest.mark.parametrize("name", ["hires_cam", "layer_cam"])
def test_maps_of_the_earlier_stage_have_four_times_the_positions(network, name: str) -> None:
    images = torch.randn(2, 3, 96, 96)
    fine, coarse = METHODS[name].maps(network, images, [2]), METHODS["grad_cam"].maps(network, images, [2])
    assert fine.shape[2] == 2 * coarse.shape[2]
    stage = network.blocks[3]  # of five, the last at stride 16
    found = {}
    handle = stage.register_forward_hook(lambda _module, _input, output: found.update(features=output))
    logit = network(images.requires_grad_())[:, 2]
    handle.remove()
    gradient = torch.autograd.grad(logit.sum(), found["features"])[0]
    gradient = gradient.clamp(min=0) if name == "layer_cam" else gradient
    assert near(fine[:, 0], (gradient * found["features"]).sum(1).detach())


def test_eigen_cam_is_the_first_component_with_its_strong_side_up(network) -> None:
    images = torch.randn(3, 3, 96, 96)
    maps = METHODS["eigen_cam"].maps(network, images, [0, 1])
    assert torch.equal(maps[:, 0], maps[:, 1])
    features = network.forward_features(images).detach().flatten(2).mT
    for found, positions in zip(maps[:, 0].flatten(1), features, strict=True):
        covariance = torch.cov(positions.T)
        share = found.var() / covariance.trace()
        assert share == pytest.approx(float(torch.linalg.eigvalsh(covariance)[-1] / covariance.trace()), rel=1e-3)
        assert (found * positions.square().sum(1)).sum() > 0


def test_integrated_gradients_add_up_to_the_change_of_the_logit(network) -> None:
    images = torch.randn(2, 3, SIDE, SIDE)
    maps = METHODS["integrated_gradients"].maps(network, images, [1])
    change = (network(images) - network(torch.zeros_like(images)))[:, 1].detach()
    assert maps.shape == (2, 1, SIDE, SIDE)
    assert torch.allclose(maps.sum(dim=(1, 2, 3)), change, atol=0.02 * float(change.abs().max()) + 1e-6)


def test_occlusion_is_captums(network) -> None:
    side, step = 58, 4  # the last patches are cut off
    images = torch.randn(1, 3, side, side)
    found = METHODS["occlusion"].maps(network, images, [0, 1])
    shape = {"sliding_window_shapes": (3, 2 * step, 2 * step), "strides": (3, step, step)}
    assert near(found[:, 1], Occlusion(network).attribute(images, target=1, **shape)[:, 0])


def test_the_config_names_every_method() -> None:
    assert set(get_args(SaliencyMethod)) == set(METHODS)
    with pytest.raises(ConfigError, match=r"explain.method 'gradcam' is not known; choose from grad_cam, grad_cam_pp"):
        saliency_method("gradcam")


def planted(network, change: str):
    if change == "pooling":
        network.reset_classifier(3, global_pool="max")
    elif change == "head":
        network.classifier = nn.Sequential(nn.Linear(256, 8), nn.Linear(8, 3))
    return network.train(change == "training")


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.layer != "input"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pooling", "received EfficientNet with pooling max and head Linear"),
        (
            "head",
            "received EfficientNet with pooling avg and head Sequential. Use explain.method integrated_gradients or occlusion",
        ),
        ("training", "is in training mode, where a map depends on the batch it stands in"),
    ],
)
def test_what_the_closed_form_does_not_hold_for_is_refused(network, name: str, change: str, said: str) -> None:
    with pytest.raises(ExplainError, match=said):
        METHODS[name].maps(planted(network, change), torch.randn(1, 3, SIDE, SIDE), [0])
