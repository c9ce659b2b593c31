"""Two invented scanners, one that writes as GE's do and one as Toshiba's."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from medclassify.phantom.ct.space import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """What a scanner's slices look like and what its headers say.

    Attributes:
        site: Institution Name; invented.
        manufacturer: Manufacturer; invented.
        model: Manufacturer's model name; invented.
        intercept: Rescale Intercept.
        outside: What is stored beyond the round field of view.
        named: The value beyond is named in the header as padding.
        bits_stored: 16, or 12 of which one is the sign.
        encoding: Transfer syntax.
        kernel: Convolution Kernel.
        blur_mm: Width of the kernel.
        noise: Standard deviation, HU.
        step_mm: From a slice to the next, in the head and in the chest.
    """

    site: str
    manufacturer: str
    model: str
    intercept: int
    outside: int
    named: bool
    bits_stored: Literal[12, 16]
    encoding: Literal["explicit", "implicit", "rle", "jpeg-ls"]
    kernel: str
    blur_mm: float
    noise: float
    step_mm: tuple[float, float]


GANTRY = Scanner(
    site="Harbour Clinic (synthetic)",
    manufacturer="Phantom Imaging CT",
    model="Gantry 16",
    intercept=-1024,
    outside=-2000,
    named=True,
    bits_stored=16,
    encoding="explicit",
    kernel="STANDARD",
    blur_mm=1.0,
    noise=4.0,
    step_mm=(6.0, 11.0),
)

AQUARIUM = Scanner(
    site="Hill Hospital (synthetic)",
    manufacturer="Phantom Imaging Volume",
    model="Ring 64",
    intercept=0,
    outside=-2048,
    named=False,
    bits_stored=12,
    encoding="jpeg-ls",
    kernel="FC64",
    blur_mm=0.6,
    noise=6.0,
    step_mm=(7.5, 13.0),
)

SCANNERS = {"A": GANTRY, "B": AQUARIUM}


def acquire(hu: Field, scanner: Scanner, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Hounsfield units to stored values, int16: blurred, noisy, cut to the round field of view and to the bits."""
    seen = ndimage.gaussian_filter(hu, scanner.blur_mm / spacing_mm)
    seen += ndimage.gaussian_filter(rng.standard_normal(hu.shape, np.float32), 0.5) * np.float32(scanner.noise / 0.56)
    side = np.arange(len(hu), dtype=np.float32) - (len(hu) - 1) / 2
    outside = np.hypot(side[:, None], side[None, :]) > len(hu) / 2
    limit = 1 << (scanner.bits_stored - 1)
    stored = np.clip(np.rint(seen) - scanner.intercept, -limit, limit - 1).astype(np.int16)
    stored[outside] = scanner.outside
    return stored
