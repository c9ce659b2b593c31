"""Random augmentation and normalisation of whole batches, on the device the batch is on.

MONAI's array transforms work on one image; on a GPU, one launch for a batch is what keeps it fed. These are MONAI transforms
(``RandomizableTransform``, ``set_random_state``) over (B, C, H, W), with a matrix, curve or noise of its own for every sample.
What was drawn goes to a GPU from pinned memory, so that the host never waits for what the GPU has still to do.
Radiographs are never mirrored: the heart's side is a finding.
"""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import Compose, RandomizableTransform
from numpy.typing import NDArray
from torch import Tensor

from medclassify.records import Preprocessing

_OFFSETS = 1 << 20  # how many places noise may be taken from


def to_device(values: NDArray, device: torch.device) -> Tensor:
    """Moves a small array without waiting: a copy from pageable memory would let the device finish all it has queued first."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


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
        """float32 (B, C, H, W) → the same."""
        self.randomize(len(images))
        if images.device.type == "cpu":
            return self._warp(images)
        return F.grid_sample(images, self._grid(images), mode="bilinear", padding_mode="zeros", align_corners=False)

    def _warp(self, images: Tensor) -> Tensor:
        # OpenCV's bilinear warp is the same to 1e-4 and takes a quarter of the time of grid_sample on a CPU
        height, width = images.shape[-2:]
        half, centre = np.array([width / 2, height / 2]), np.array([(width - 1) / 2, (height - 1) / 2])
        turn = self.matrices[:, :, :2] * half[:, None] / half
        shift = self.matrices[:, :, 2] * half + centre - turn @ centre
        in_pixels = np.concatenate([turn, shift[:, :, None]], axis=2)
        source = np.ascontiguousarray(images.numpy())
        moved = np.empty_like(source)
        for planes, matrix, out in zip(source, in_pixels, moved, strict=True):
            for plane, target in zip(planes, out, strict=True):
                cv2.warpAffine(plane, matrix, (width, height), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return torch.from_numpy(moved)

    def _grid(self, images: Tensor) -> Tensor:
        # outer sums of a·x and b·y: an order of magnitude faster than multiplying every pixel by a matrix
        matrices = to_device(self.matrices, images.device)
        height, width = images.shape[-2:]
        x = (torch.arange(width, device=images.device) * 2 + 1) / width - 1
        y = (torch.arange(height, device=images.device) * 2 + 1) / height - 1
        a, b, c = (matrices[:, :, column, None, None] for column in range(3))
        return (a * x[None, None, None, :] + (b * y[None, None, :, None] + c)).permute(0, 2, 3, 1)


class RandIntensityBatch(RandomizableTransform):
    """Changes gamma, contrast and brightness, by a curve of its own for each image.

    Args:
        strength: 0 (none) to 1.
    """

    def __init__(self, strength: float) -> None:
        super().__init__(prob=1.0)
        self.strength = strength
        self.factors = np.zeros((3, 0), np.float32)

    def randomize(self, data: int) -> None:
        """Draws gamma (log), contrast and brightness for each sample."""
        widest = np.array([0.5, 0.25, 0.15]) * self.strength
        self.factors = (self.R.uniform(-1, 1, (3, data)) * widest[:, None]).astype(np.float32)

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, C, H, W), or float in [0, 1] → float32 in [0, 1]."""
        self.randomize(len(images))
        factors = to_device(self.factors, images.device)[:, :, None, None, None]
        if images.dtype != torch.uint8:
            return _curve(images, factors)
        # 256 powers an image instead of one a pixel; the same values to the last bit
        levels = torch.arange(256, device=images.device) / 255
        table = _curve(levels.expand(len(images), 1, 1, 256), factors).flatten(1)
        return table.gather(1, images.flatten(1).long()).view(images.shape)


class RandNoiseBatch(RandomizableTransform):
    """Adds normal noise, as strong as drawn for each image.

    The noise is cut from one long row of standard normal values, at a place and with a sign drawn for each image: within an
    image all values are independent, and two images share a stretch of the row only shifted. Drawing every value anew costs
    six times as much and teaches a network nothing more.

    Args:
        widest: Largest standard deviation, on the [0, 1] scale.
    """

    def __init__(self, widest: float) -> None:
        super().__init__(prob=1.0)
        self.widest = widest
        self.places = np.zeros(0, np.int64)
        self.amounts = np.zeros((0, 1), np.float32)

    def randomize(self, data: int) -> None:
        """Draws where each sample's noise begins, and its signed standard deviation."""
        self.places = self.R.randint(0, _OFFSETS, data).astype(np.int64)
        self.amounts = self.R.uniform(-self.widest, self.widest, (data, 1)).astype(np.float32)

    def __call__(self, images: Tensor) -> Tensor:
        """float32 (B, C, H, W) → the same, within [0, 1]."""
        self.randomize(len(images))
        flat = images.flatten(1)
        row = _standard_normal(_OFFSETS + flat.shape[1], images.device)
        noise = row.unfold(0, flat.shape[1], 1).index_select(0, to_device(self.places, images.device))
        return torch.addcmul(flat, noise, to_device(self.amounts, images.device)).clamp_(0, 1).view(images.shape)


def augmentation(strength: float) -> Compose:
    """The augmentation of radiographs: small rotations, shifts and sizes, and the looks of other detectors.

    Args:
        strength: 0 (none) to 1.

    Returns:
        A MONAI transform of uint8 (B, C, H, W), as the store holds it, or of float in [0, 1]; to float32 in [0, 1]. Nothing is
        changed at strength 0.
    """
    affine: Any = RandAffineBatch(rotate=0.35 * strength, scale=0.25 * strength, shift=0.12 * strength)
    # the curves first: a stored image has 256 levels, a moved one has not
    return Compose([RandIntensityBatch(strength), affine, RandNoiseBatch(0.03 * strength)] if strength else [])


def to_network_input(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Normalises prepared images as the weights expect.

    Args:
        images: uint8 (B, 1 or 3, S, S), or float in [0, 1].
        preprocessing: Mean and standard deviation, per channel of the [0, 1] image.

    Returns:
        float32 (B, 3, S, S), channels-last.
    """
    grey = images.float().div_(255) if images.dtype == torch.uint8 else images
    mean, std = (_per_channel(values, grey.device) for values in (preprocessing.mean, preprocessing.std))
    return (grey - mean).div_(std).contiguous(memory_format=torch.channels_last)


def _curve(images: Tensor, factors: Tensor) -> Tensor:
    gamma, contrast, brightness = factors
    return images.clamp(0, 1).pow(torch.exp(gamma)).sub_(0.5).mul_(1 + contrast).add_(0.5 + brightness).clamp_(0, 1)


@lru_cache(maxsize=4)
def _standard_normal(size: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.randn(size, generator=torch.Generator().manual_seed(0)).to(device)  # the same on every device


@lru_cache(maxsize=16)
def _per_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    # kept on the device: made anew, it would be copied there at every step, and the host would wait
    with torch.inference_mode(False):  # a constant of inference could not take part in training
        return torch.tensor(values, device=device).view(1, 3, 1, 1)
