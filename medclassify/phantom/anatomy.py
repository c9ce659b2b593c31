"""Who is radiographed: the sizes of one person's chest, fixed over all of the person's images."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """One chest. Millimetres unless said otherwise; y is measured from the apex of the lungs.

    Attributes:
        cage_half_width: Half of the largest inner width of the rib cage.
        cage_depth: Front to back, inside.
        dome: y of the right diaphragm dome at full inspiration.
        dome_step: How much lower the left dome stands.
        sulcus: From the dome down to the costophrenic angle.
        wall_side: Soft tissue beside the cage.
        wall_front: Soft tissue before and behind the cage together.
        shoulder: Half width over the shoulders beyond the cage.
        neck: Half width of the neck.
        breast: Thickness of a breast; 0 in men.
        breast_y: y of a breast's centre.
        heart_ratio: Transverse heart width over ``2 * cage_half_width``.
        heart_angle: Slope of the heart's long axis, radians.
        heart_roundness: Short over long axis of the heart.
        aorta: Radius of the aortic arch.
        mediastinum: Half width of the upper mediastinum.
        rib_drop: How far a rib runs down from back to side.
        rib_pitch: Distance of two ribs at the spine.
        bone: Mineral density relative to a young adult.
        calcification: Of aorta and costal cartilage, 0 to 1.
        scoliosis: Sideways bow of the spine.
        gas: Half width of the stomach bubble; 0 for none.
        markings: Strength of the lung vessels, 1 is ordinary.
        seed: Of everything that is a person's own but has no name: vessels, tissue, gut gas.
    """

    cage_half_width: float
    cage_depth: float
    dome: float
    dome_step: float
    sulcus: float
    wall_side: float
    wall_front: float
    shoulder: float
    neck: float
    breast: float
    breast_y: float
    heart_ratio: float
    heart_angle: float
    heart_roundness: float
    aorta: float
    mediastinum: float
    rib_drop: float
    rib_pitch: float
    bone: float
    calcification: float
    scoliosis: float
    gas: float
    markings: float
    seed: int

    @property
    def heart_half_width(self) -> float:
        """Half of the transverse heart width, mm."""
        return self.heart_ratio * self.cage_half_width


def draw_anatomy(rng: np.random.Generator, sex: str, age: int, heart_ratio: float) -> Anatomy:
    """Draws the chest of a person.

    Args:
        rng: The person's own generator.
        sex: ``F`` or ``M``.
        age: Years, 18 or more.
        heart_ratio: Cardiothoracic ratio; more than 0.5 is cardiomegaly.
    """
    female = sex == "F"
    size = rng.normal(1.0, 0.045)
    weight = float(np.clip(rng.normal(0.45, 0.22), 0.0, 1.1))  # 0 is thin, 1 is obese
    old = float(np.clip((age - 50) / 40, 0, 1))
    calcified = float(np.clip(old * 1.3 + rng.normal(-0.25, 0.3), 0, 1))
    has_bubble = rng.random() < 0.75
    return Anatomy(
        cage_half_width=(124 if female else 136) * size,
        cage_depth=(165 if female else 188) * size * (1 + 0.08 * old),
        dome=(206 if female else 222) * size + rng.normal(0, 6) - 8 * weight,
        dome_step=rng.uniform(4, 18),
        sulcus=rng.uniform(44, 56),
        wall_side=14 + 30 * weight,
        wall_front=34 + 50 * weight,
        shoulder=(46 if female else 60) + 14 * weight,
        neck=(50 if female else 58) + 10 * weight,
        breast=rng.uniform(16, 34) + 26 * weight if female else 0.0,
        breast_y=rng.uniform(178, 202) + 14 * weight,
        heart_ratio=heart_ratio,
        heart_angle=rng.normal(0.62, 0.09) - 0.25 * weight,
        heart_roundness=rng.uniform(0.70, 0.80),
        aorta=12.5 + 5.5 * old + rng.normal(0, 1.2),
        mediastinum=rng.uniform(25, 30) + 5 * weight,
        rib_drop=rng.uniform(44, 56) * size,
        rib_pitch=rng.uniform(22.5, 24.5) * size,
        bone=1.08 - 0.32 * old * (1.2 if female else 0.9) + rng.normal(0, 0.05),
        calcification=calcified,
        scoliosis=rng.normal(0, 3 + 4 * old),
        gas=rng.uniform(16, 34) if has_bubble else 0.0,
        markings=float(np.clip(rng.normal(1.0, 0.16), 0.6, 1.5)),
        seed=int(rng.integers(2**31)),
    )
