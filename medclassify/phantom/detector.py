"""From matter to stored values: Beer–Lambert, scatter, counting noise, and each site's way of making a picture of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medclassify.phantom.grid import LEFT, SPACING, TOP, Map, enlarge
from medclassify.phantom.site import Site

STORED_MAX = 4095
"""12 bits."""
_COARSE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How one picture was taken.

    Attributes:
        kvp: Tube voltage, kV.
        mas: Tube current times time, mAs.
        rotation: Of the person against the detector, radians.
        shift: (x, y) of the person against the detector's middle, mm.
        magnification: Of the shadow; above 1 the nearer the tube.
        seed: Of the noise.
    """

    kvp: float
    mas: float
    rotation: float
    shift: tuple[float, float]
    magnification: float
    seed: int


def attenuation(kvp: float) -> tuple[float, float]:
    """Linear attenuation of water and of bone beyond water, 1/mm, at the beam's mean energy (NIST XCOM, 45 to 65 keV)."""
    energy = 0.32 * kvp + 22  # keV behind a chest: the beam is hardened
    return 0.0206 * (60 / energy) ** 0.42, 0.040 * (60 / energy) ** 1.5


def project(board: NDArray[Any], site: Site, exposure: Exposure, *, order: int = 1) -> NDArray[Any]:
    """Lays the board onto the detector: magnified, turned and shifted; ``site.shape``, order 0 for labels."""
    cosine, sine = np.cos(exposure.rotation), np.sin(exposure.rotation)
    scale = site.spacing / SPACING / exposure.magnification
    matrix = scale * np.array([[cosine, sine], [-sine, cosine]])
    middle = (np.array(site.shape) - 1) / 2
    target = np.array([(site.middle + exposure.shift[1] - TOP) / SPACING, (exposure.shift[0] - LEFT) / SPACING])
    return ndimage.affine_transform(board, matrix, target - matrix @ middle, site.shape, order=order, mode="nearest")


def expose(integral: Map, site: Site, exposure: Exposure) -> Map:
    """Signal behind the matter, relative to the open beam, noise and all.

    Args:
        integral: float32 ``site.shape``, the attenuation integrated along each ray.
        site: The detector.
        exposure: Dose and seed.

    Returns:
        float32, above 0.
    """
    rng = np.random.default_rng(exposure.seed)
    primary = np.exp(-integral)
    # Scatter leaves the body in all directions: a wide blur of what was absorbed less, weaker outside the body.
    scatter = site.scatter * blur(np.minimum(primary, 0.25), 38 / site.spacing)
    open_beam = site.photons * exposure.mas * site.spacing**2
    counts = open_beam * (primary + scatter)
    counts += np.sqrt(counts + site.electronic**2) * rng.standard_normal(counts.shape, dtype=np.float32)
    return np.maximum(counts, 1) / np.float32(open_beam)


def develop(signal: Map, site: Site) -> NDArray[np.uint16]:
    """Log, range finding, edge and latitude processing, quantisation: the stored values as the site's system writes them.

    A system looks for the range of the chest in the log signal (as CR's exposure data recogniser does), spreads it over
    the stored values, lifts fine structure and, on DX, flattens slow changes.
    """
    log = -np.log(signal)
    rows, columns = log.shape
    middle = log[rows // 6 : 3 * rows // 4 : 4, columns // 5 : 4 * columns // 5 : 4]
    low, high = np.percentile(middle, (10, 98))
    grey = (log - low) / max(high - low, 0.5)
    if site.flatten:
        slow = blur(np.clip(grey, -0.4, 1.3), 26 / site.spacing)
        grey = grey - site.flatten * (slow - 0.5)
    if site.edge:
        grey += site.edge * (grey - ndimage.gaussian_filter(grey, 2.2 / site.spacing, truncate=2.5))
    # The slope of a film or display curve: steep in the lungs, flat in the mediastinum.
    grey = -np.expm1(-site.curve * np.maximum(grey, -0.6)) / -np.expm1(-site.curve)
    grey = site.foot + site.gain * grey
    values = np.clip(np.rint(STORED_MAX * grey), 0, STORED_MAX)
    return (STORED_MAX - values if site.photometric == "MONOCHROME1" else values).astype(np.uint16)


def blur(image: Map, sigma: float) -> Map:
    """A wide Gaussian blur by way of a coarse grid; sigma in pixels, at least 16 or so."""
    rows, columns = (side // _COARSE * _COARSE for side in image.shape)
    coarse = image[:rows, :columns].reshape(rows // _COARSE, _COARSE, columns // _COARSE, _COARSE).mean(axis=(1, 3))
    return enlarge(ndimage.gaussian_filter(coarse, sigma / _COARSE, mode="nearest", truncate=3.0), image.shape, _COARSE)
