"""Weights in other projects' key layouts: the converted network computes what the original does."""

from pathlib import Path

import pytest
import torch
import torchvision
from monai.networks.nets import EfficientNetBN
from safetensors.torch import save_file
from torch import nn

from medclassify.errors import WeightsError
from medclassify.models import create_network, load_weights
from medclassify.models.layouts import layout_of


def learnt(network: nn.Module) -> nn.Module:
    """Gives biases and running statistics values of their own, so that a swapped pair of layers shows."""
    torch.manual_seed(1)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.05)
    return network.eval()


def saved(network: nn.Module, path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return path


def lukemelas(monai: nn.Module, path: Path) -> Path:
    """The same with blocks numbered through, as lukemelas does where MONAI numbers the stages too."""
    state = {}
    for name, value in monai.state_dict().items():
        parts = name.split(".")
        state[".".join([parts[0], *parts[2:]] if parts[0] == "_blocks" else parts)] = value
    torch.save(state, path)
    return path


def largest_difference(original: nn.Module, head: nn.Module, backbone: str, file: Path, side: int) -> float:
    network = create_network(backbone, 5)
    report = load_weights(network, str(file))
    assert report.share == 1.0 and f"{report.loaded} of {report.total} backbone tensors loaded" in report.note
    network.get_classifier().load_state_dict(head.state_dict())
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        expected = original(images)
        return float((expected - network.eval()(images)).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("coefficient", "side"), [(0, 224), (1, 240)])
@pytest.mark.parametrize("write", [saved, lukemelas])
def test_monai_and_lukemelas(write, coefficient: int, side: int, tmp_path: Path) -> None:
    original = EfficientNetBN(f"efficientnet-b{coefficient}", spatial_dims=2, in_channels=3, num_classes=5, pretrained=False)
    learnt(original)
    file = write(original, tmp_path / ("w.safetensors" if write is saved else "w.pth"))
    assert largest_difference(original, original._fc, f"tf_efficientnet_b{coefficient}", file, side) < 1e-5


@pytest.mark.parametrize(
    ("builder", "backbone"),
    [("efficientnet_b0", "efficientnet_b0"), ("efficientnet_b5", "efficientnet_b5"), ("efficientnet_v2_s", "efficientnetv2_s")],
)
def test_torchvision(builder: str, backbone: str, tmp_path: Path) -> None:
    original = learnt(getattr(torchvision.models, builder)(weights=None, num_classes=5))
    file = saved(original, tmp_path / "w.safetensors")
    assert largest_difference(original, original.classifier[1], backbone, file, 96) < 2e-5


def test_layouts_are_told_apart() -> None:
    assert layout_of(create_network("efficientnet_b0", 1).state_dict()) == "timm"
    assert layout_of(torchvision.models.efficientnet_b0(weights=None).state_dict()) == "torchvision"


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("tf_efficientnet_b0", r"in torchvision's layout, whose padding tf_efficientnet_b0 does not have.* efficientnet_b0\.$"),
        ("efficientnet_b1", r"with 130 layers where the network has 184\. Choose the backbone that the file was made for\.$"),
    ],
)
def test_a_file_for_another_network_is_refused(backbone: str, message: str, tmp_path: Path) -> None:
    file = saved(torchvision.models.efficientnet_b0(weights=None), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=message):
        load_weights(create_network(backbone, 1), str(file))


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    """B1 and B2 have the same layers, wider."""
    file = saved(torchvision.models.efficientnet_b1(weights=None), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="have another shape"):
        load_weights(create_network("efficientnet_b2", 1), str(file))


def test_advprop_weights_need_their_own_normalisation(tmp_path: Path) -> None:
    original = EfficientNetBN("efficientnet-b0", spatial_dims=2, in_channels=3, num_classes=5, pretrained=False)
    file = lukemelas(original, tmp_path / "adv-efficientnet-b0.pth")
    with pytest.raises(WeightsError, match=r"another normalisation.*Choose model\.backbone tf_efficientnet_b0\.ap_in1k\.$"):
        load_weights(create_network("tf_efficientnet_b0", 1), str(file))
    assert load_weights(create_network("tf_efficientnet_b0.ap_in1k", 1), str(file)).share == 1.0


@pytest.mark.parametrize(
    ("builder", "backbone", "remedy"),
    [
        ("efficientnet_b1", "efficientnet_b1", "Choose model.backbone efficientnet_b1.ft_in1k."),
        ("efficientnet_v2_l", "efficientnetv2_l", "timm has no record of this one with that mean."),
    ],
)
def test_torchvisions_weights_need_torchvisions_normalisation(builder: str, backbone: str, remedy: str, tmp_path: Path) -> None:
    """timm's newest B1 expects [-1, 1], torchvision's does not; with V2-L it is the other way round."""
    with torch.device("meta"):
        original = getattr(torchvision.models, builder)(weights=None)
    file = tmp_path / "w.safetensors"
    save_file({name: torch.zeros(1) for name in original.state_dict()}, file)  # every layer's name, and next to no bytes
    network = create_network(backbone, 1)
    with pytest.raises(WeightsError, match="torchvision weights, which expect another normalisation") as caught:
        load_weights(network, str(file))
    assert str(caught.value).endswith(remedy)
