"""The saliency methods by name. A method takes network, images and findings, and returns signed maps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from timm.models.efficientnet import EfficientNet
from torch import Tensor

from medclassify.errors import ConfigError
from medclassify.explain.methods.eigen_cam import eigen_cam
from medclassify.explain.methods.grad_cam import grad_cam
from medclassify.explain.methods.grad_cam_pp import grad_cam_pp
from medclassify.explain.methods.hires_cam import hires_cam
from medclassify.explain.methods.integrated_gradients import integrated_gradients
from medclassify.explain.methods.layer_cam import layer_cam
from medclassify.explain.methods.occlusion import occlusion

Maps = Callable[[EfficientNet, Tensor, Sequence[int]], Tensor]
"""Network in evaluation mode, float32 (B, 3, S, S) normalised images, K indices of findings → float32 (B, K, h, w), signed:
positive speaks for the finding. Any h and w; the map covers the whole square."""


@dataclass(frozen=True, slots=True)
class Method:
    """A saliency method.

    Attributes:
        name: As ``explain.method`` names it.
        maps: Computes the maps.
        layer: What it reads: ``final`` feature maps, an ``earlier`` stage of twice their side, or the ``input``.
        costly: It takes many passes of the network a finding, so the checks look at fewer images.
    """

    name: str
    maps: Maps
    layer: str
    costly: bool = False


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method("grad_cam", grad_cam, "final"),
            Method("grad_cam_pp", grad_cam_pp, "final"),
            Method("hires_cam", hires_cam, "earlier"),
            Method("layer_cam", layer_cam, "earlier"),
            Method("eigen_cam", eigen_cam, "final"),
            Method("integrated_gradients", integrated_gradients, "input", costly=True),
            Method("occlusion", occlusion, "input", costly=True),
        )
    }
)
"""Every method, by name."""


def saliency_method(name: str) -> Method:
    """A method by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in METHODS:
        raise ConfigError(f"explain.method {name!r} is not known; choose from {', '.join(METHODS)}.")
    return METHODS[name]
