"""Where a network looked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """A saliency map, raw: never scaled by its own minimum and maximum.

    Attributes:
        raw: float32 (H, W), in units of the finding's logit; negative values speak against the finding.
        finding: The finding whose logit it explains.
        layer: The layer it was read at.
        score: The finding's logit for this image.
    """

    raw: NDArray[np.float32]
    finding: str
    layer: str
    score: float
