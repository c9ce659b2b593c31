"""Random augmentation and normalisation of whole batches, on the device the batch is on.

MONAI's array transforms work on one image; on a GPU, one launch for a batch is what keeps it fed. These are MONAI transforms
(``RandomizableTransform``, ``set_random_state``) over (B, C, H, W), with a matrix or factor of its own for every sample.
Radiographs are never mirrored: the heart's side is a finding.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import Compose, RandomizableTransform
from torch import Tensor

from medclassify.records import Preprocessing


class RandAffineBatch(RandomizableTransform):
    """Rotates, scales and shifts each image of a batch; what comes from outside is black.

    Args:
        rotate: Largest rotation, radians.
        scale: Largest relative change of size.
        shift: Largest shift, as a share of the half side.
    """

    def __init__(self, rotate: float, scale: float, shift: float) -> None:
        super().__init__(prob=1.0)
        self.rotate, self.scale, self.shift = rotate, scale, shift
        self.matrices = np.zeros((0, 2, 3), np.float32)

    def randomize(self, data: int) -> None:
        """Draws one 2×3 matrix a sample."""
        angle = self.R.uniform(-self.rotate, self.rotate, data)
        zoom = 1 + self.R.uniform(-self.scale, self.scale, data)
        shift = self.R.uniform(-self.shift, self.shift, (data, 2))
        cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
        rows = [np.stack([cosine, -sine, shift[:, 0]], -1), np.stack([sine, cosine, shift[:, 1]], -1)]
        self.matrices = np.stack(rows, 1).astype(np.float32)

    def __call__(self, images: Tensor) -> Tensor:
        """float (B, C, H, W) → the same."""
        self.randomize(len(images))
        return F.grid_sample(images, self._grid(images), mode="bilinear", padding_mode="zeros", align_corners=False)

    def _grid(self, images: Tensor) -> Tensor:
        # outer sums of a·x and b·y: an order of magnitude faster than multiplying every pixel by a matrix
        matrices = torch.from_numpy(self.matrices).to(images.device)
        height, width = images.shape[-2:]
        x = (torch.arange(width, device=images.device) * 2 + 1) / width - 1
        y = (torch.arange(height, device=images.device) * 2 + 1) / height - 1
        a, b, c = (matrices[:, :, column, None, None] for column in range(3))
        return (a * x[None, None, None, :] + (b * y[None, None, :, None] + c)).permute(0, 2, 3, 1)


class RandIntensityBatch(RandomizableTransform):
    """Changes gamma, contrast and brightness and adds noise, by an amount of its own for each image.

    Args:
        strength: 0 (none) to 1.
    """

    def __init__(self, strength: float) -> None:
        super().__init__(prob=1.0)
        self.strength = strength
        self.factors = np.zeros((4, 0), np.float32)

    def randomize(self, data: int) -> None:
        """Draws gamma (log), contrast, brightness and noise for each sample."""
        widest = np.array([0.5, 0.25, 0.15]) * self.strength
        self.factors = np.vstack(
            [self.R.uniform(-1, 1, (3, data)) * widest[:, None], self.R.uniform(0, 0.03 * self.strength, (1, data))]
        ).astype(np.float32)

    def __call__(self, images: Tensor) -> Tensor:
        """float (B, C, H, W) in [0, 1] → the same."""
        self.randomize(len(images))
        gamma, contrast, brightness, noise = torch.from_numpy(self.factors).to(images.device)[:, :, None, None, None]
        images = images.clamp(0, 1).pow(torch.exp(gamma))
        images = (images - 0.5) * (1 + contrast) + 0.5 + brightness
        generator = torch.Generator(images.device).manual_seed(int(self.R.randint(2**31)))  # its own: nothing else moves it
        drawn = torch.randn(images.shape, generator=generator, device=images.device)
        return (images + noise * drawn).clamp(0, 1)


def augmentation(strength: float) -> Compose:
    """The augmentation of radiographs: small rotations, shifts and sizes, and the looks of other detectors.

    Args:
        strength: 0 (none) to 1.

    Returns:
        A MONAI transform over float (B, C, H, W) in [0, 1].
    """
    affine: Any = RandAffineBatch(rotate=0.35 * strength, scale=0.25 * strength, shift=0.12 * strength)
    return Compose([affine, RandIntensityBatch(strength)] if strength else [])


def to_network_input(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Normalises prepared images as the weights expect.

    Args:
        images: uint8 (B, 1 or 3, S, S), or float in [0, 1].
        preprocessing: Mean and standard deviation, per channel of the [0, 1] image.

    Returns:
        float32 (B, 3, S, S), channels-last.
    """
    grey = images.float().div_(255) if images.dtype == torch.uint8 else images
    mean = torch.tensor(preprocessing.mean, device=grey.device).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, device=grey.device).view(1, 3, 1, 1)
    return ((grey - mean) / std).contiguous(memory_format=torch.channels_last)
