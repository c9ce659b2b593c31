"""The two invented hospitals and their detectors."""

from dataclasses import dataclass
from typing import Literal

Encoding = Literal["explicit", "implicit", "rle", "jpeg-ls", "jpeg-lossless", "jpeg2000"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One hospital: what its pictures look like and what its headers say.

    Attributes:
        name: Institution Name.
        manufacturer: Manufacturer; invented.
        model: Manufacturer's model name; invented.
        modality: ``CR`` or ``DX``.
        photometric: Photometric Interpretation.
        shape: Rows and columns.
        spacing: Pixel spacing, mm.
        middle: y of the detector's middle below the apex of the lungs, mm.
        pa_share: Share of pictures taken PA; the others are AP.
        photons: Detected photons a mm² and mAs in the open beam.
        electronic: Electronic noise, photons.
        scatter: Scatter over primary behind the lungs.
        edge: Strength of edge enhancement.
        flatten: Share of slow brightness changes taken out.
        curve: Bend of the tone curve; more gives the lungs more of the contrast.
        foot: Grey of the thinnest part of the body, 0 to 1.
        gain: Grey from the thinnest to the thickest part.
        window: VOI window center and width, stored values.
        encodings: Transfer syntaxes, one a study in turn.
    """

    name: str
    manufacturer: str
    model: str
    modality: Literal["CR", "DX"]
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    shape: tuple[int, int]
    spacing: float
    middle: float
    pa_share: float
    photons: float
    electronic: float
    scatter: float
    edge: float
    flatten: float
    curve: float
    foot: float
    gain: float
    window: tuple[float, float]
    encodings: tuple[Encoding, ...]


SITE_A = Site(
    name="Harbour Clinic (synthetic)",
    manufacturer="Phantom Imaging CR",
    model="Plate 1",
    modality="CR",
    photometric="MONOCHROME2",
    shape=(440, 400),
    spacing=0.84,
    middle=128.0,
    pa_share=0.85,
    photons=1.1e5,
    electronic=9.0,
    scatter=0.20,
    edge=0.75,
    flatten=0.0,
    curve=1.2,
    foot=0.20,
    gain=0.66,
    window=(2000.0, 3300.0),
    encodings=("explicit", "rle", "jpeg-ls", "jpeg-lossless"),
)

SITE_B = Site(
    name="Hill Hospital (synthetic)",
    manufacturer="Phantom Imaging DX",
    model="Panel 7",
    modality="DX",
    photometric="MONOCHROME1",
    shape=(416, 416),
    spacing=0.88,
    middle=122.0,
    pa_share=0.25,
    photons=1.6e5,
    electronic=5.0,
    scatter=0.42,
    edge=0.25,
    flatten=0.35,
    curve=0.9,
    foot=0.25,
    gain=0.58,
    window=(1950.0, 2700.0),
    encodings=("jpeg2000", "implicit", "jpeg-ls", "explicit"),
)

SITES = {"A": SITE_A, "B": SITE_B}
