"""One radiograph: a person, an exposure and findings in, stored values and masks out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medclassify.phantom.anatomy import Anatomy
from medclassify.phantom.bones import build_bones
from medclassify.phantom.chest import LUNG_DENSITY, Chest, build_chest
from medclassify.phantom.detector import Exposure, attenuation, develop, expose, project
from medclassify.phantom.findings import DRAWERS, Layers, Lesion
from medclassify.phantom.grid import HEIGHT, WIDTH, Map
from medclassify.phantom.marker import stamp, wires
from medclassify.phantom.site import Site
from medclassify.phantom.vessels import build_vessels

_METAL = 0.45  # lead wire and electrode, 1/mm, thin
_LEAD = 3.6


@dataclass(frozen=True, slots=True, eq=False)
class Radiograph:
    """A rendered picture.

    Attributes:
        pixels: uint16 (H, W), stored values of 12 bits, in the polarity of the site's photometric interpretation.
        masks: bool (H, W) of each finding that is present.
    """

    pixels: NDArray[np.uint16]
    masks: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that one picture shows.

    Attributes:
        anatomy: The person.
        site: The detector.
        view: ``PA`` or ``AP``.
        exposure: Dose, position and noise.
        lift: How much less than full the breath is, mm of diaphragm.
        wired: Monitoring wires lie on the chest.
        letters: Lead letters on the film, ``(text, (x, y) in mm)``.
        lesions: The findings drawn, by name; cardiomegaly stands in the anatomy.
    """

    anatomy: Anatomy
    site: Site
    view: str
    exposure: Exposure
    lift: float = 0.0
    wired: bool = False
    letters: tuple[tuple[str, tuple[float, float]], ...] = ()
    lesions: Mapping[str, Lesion] = field(default_factory=dict)


def render_radiograph(scene: Scene) -> Radiograph:
    """Renders one radiograph. The same scene gives the same pixels.

    Args:
        scene: What it shows.

    Returns:
        Stored values and one mask a finding.
    """
    anterior = scene.view == "AP"
    chest = build_chest(scene.anatomy, heart_scale=1.07 if anterior else 1.0, lift=scene.lift, arms=anterior)
    layers = _healthy(scene, chest, anterior)
    masks = {name: draw(layers, scene.lesions[name]) for name, draw in DRAWERS.items() if name in scene.lesions}
    if scene.anatomy.heart_ratio > 0.5:
        masks["cardiomegaly"] = chest.heart
    water, bone = attenuation(scene.exposure.kvp)
    integral = water * (layers.tissue + LUNG_DENSITY * layers.lung + layers.vessels) + bone * layers.bone
    _add_foreign(integral, scene)
    signal = expose(project(integral, scene.site, scene.exposure), scene.site, scene.exposure)
    return Radiograph(develop(signal, scene.site), _lay(masks, scene))


def _lay(masks: dict[str, NDArray[np.bool_]], scene: Scene) -> dict[str, NDArray[np.bool_]]:
    """Masks from the board to the detector, all in one go: one bit each."""
    if not masks:
        return {}
    bits = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, mask in enumerate(masks.values()):
        bits |= mask.astype(np.uint8) << place
    laid = project(bits, scene.site, scene.exposure, order=0)
    return {name: (laid >> place & 1).astype(bool) for place, name in enumerate(masks)}


def _healthy(scene: Scene, chest: Chest, anterior: bool) -> Layers:
    share = np.clip(chest.lung / (0.45 * scene.anatomy.cage_depth), 0, 1)
    return Layers(
        anatomy=scene.anatomy,
        chest=chest,
        tissue=chest.tissue.copy(),
        lung=chest.lung.copy(),
        vessels=share * build_vessels(scene.anatomy),
        bone=build_bones(scene.anatomy, high_clavicles=anterior, scapulae_in=anterior),
    )


def _add_foreign(integral: Map, scene: Scene) -> None:
    if scene.wired:
        integral += _METAL * wires(scene.anatomy, np.random.default_rng([scene.exposure.seed, 5]))
    if scene.letters:
        lead = np.zeros((HEIGHT, WIDTH), np.float32)
        for text, corner in scene.letters:
            stamp(lead, text, corner, 1.0)
        integral += _LEAD * lead
