"""Compound scaling: one coefficient sets width, depth, resolution and dropout together.

Tan & Le 2019, section 3.3; the factors are those of the published B0–B7, and for EfficientNetV2 (Tan & Le 2021) of V2-B0–B3.
Resolution and normalisation come with the weights (see ``preprocessing_of``).
"""

import re
from dataclasses import dataclass

_B = ((1.0, 1.0, 0.2), (1.0, 1.1, 0.2), (1.1, 1.2, 0.3), (1.2, 1.4, 0.3), (1.4, 1.8, 0.4), (1.6, 2.2, 0.4), (1.8, 2.6, 0.5),
      (2.0, 3.1, 0.5))  # fmt: skip
_V2_B = ((1.0, 1.0, 0.2), (1.0, 1.1, 0.2), (1.1, 1.2, 0.3), (1.2, 1.4, 0.3))
_V2_DROPOUT = {"s": 0.2, "m": 0.3, "l": 0.4, "xl": 0.4}
_OTHER_DROPOUT = 0.2


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a backbone relates to the smallest of its family.

    Attributes:
        width: Factor on channels, or None for the searched V2-S to XL.
        depth: Factor on layers, or None likewise.
        dropout: Before the head, when the backbone was published.
    """

    width: float | None
    depth: float | None
    dropout: float

    def __str__(self) -> str:
        factors = "" if self.width is None else f"width × {self.width:g}, depth × {self.depth:g}, "
        return f"{factors}dropout {self.dropout:g}"


def scaling_of(backbone: str) -> Scaling:
    """The published scaling of a timm EfficientNet, with or without a weights tag.

    Args:
        backbone: As ``backbone_name`` returns it.
    """
    name = backbone.partition(".")[0]
    if found := re.fullmatch(r"(?:tf_)?efficientnet_b([0-7])", name):
        return Scaling(*_B[int(found[1])])
    if found := re.fullmatch(r"tf_efficientnetv2_b([0-3])", name):
        return Scaling(*_V2_B[int(found[1])])
    found = re.fullmatch(r"(?:tf_)?efficientnetv2_(s|m|l|xl)", name)
    return Scaling(None, None, _V2_DROPOUT[found[1]] if found else _OTHER_DROPOUT)
