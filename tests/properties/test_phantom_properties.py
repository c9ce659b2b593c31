"""What holds for every patient and every finding, whatever is drawn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medclassify.config import PhantomConfig
from medclassify.phantom import FINDINGS, SITES, Exposure, Lesion, Scene, draw_anatomy, draw_patient, render_radiograph
from medclassify.phantom.findings import DRAWERS

FAULTS = ("fainter_in_f", "label_noise_site_b", "site_marker", "patient_in_two_splits")


@given(number=st.integers(0, 10**6), seed=st.integers(0, 2**32), faults=st.sets(st.sampled_from(FAULTS)))
@settings(max_examples=60, deadline=None)
def test_any_patient_is_whole(number: int, seed: int, faults: set[str]) -> None:
    exams = draw_patient(PhantomConfig(seed=seed, faults=tuple(faults)), number)  # type: ignore[arg-type]
    assert 1 <= len(exams) <= 4
    assert len({exam.sop_uid for exam in exams}) == len(exams)
    for exam in exams:
        assert exam.truth.keys() == exam.labels.keys() == set(FINDINGS)
        assert {*exam.truth.values(), *exam.labels.values()} <= {0, 1}
        assert exam.severity.keys() == {name for name, present in exam.truth.items() if present}
        assert all(0 < value <= 1 for value in exam.severity.values())
        assert 18 <= exam.age <= 92


@given(
    finding=st.sampled_from(sorted(DRAWERS)),
    severity=st.floats(0.03, 1.0),
    side=st.sampled_from([-1, 1]),
    seed=st.integers(0, 2**31),
    site=st.sampled_from(sorted(SITES)),
    view=st.sampled_from(["PA", "AP"]),
    sex=st.sampled_from("FM"),
    mas=st.floats(0.2, 10),
)
@settings(max_examples=12, deadline=None)
def test_any_finding_in_any_chest_is_somewhere_and_fits_twelve_bits(
    finding: str, severity: float, side: int, seed: int, site: str, view: str, sex: str, mas: float
) -> None:
    scene = Scene(
        anatomy=draw_anatomy(np.random.default_rng(seed), sex, 60, 0.46),
        site=SITES[site],
        view=view,
        exposure=Exposure(kvp=110, mas=mas, rotation=0.02, shift=(3.0, -4.0), magnification=1.02, seed=seed),
        lift=12.0,
        lesions={finding: Lesion(severity=severity, side=side, seed=seed)},
    )
    radiograph = render_radiograph(scene)
    assert radiograph.pixels.shape == SITES[site].shape
    assert radiograph.pixels.max() <= 4095
    assert np.ptp(radiograph.pixels) > 1500
    assert radiograph.masks.keys() == {finding}
    assert 30 < radiograph.masks[finding].sum() < 0.25 * radiograph.pixels.size
