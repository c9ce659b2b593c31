"""A scene gives one picture, always the same."""

from dataclasses import replace

import numpy as np
import pytest

from medclassify.config import PhantomConfig
from medclassify.phantom import Scene, draw_patient, render_radiograph
from medclassify.phantom.marker import stamp


@pytest.fixture
def shown() -> Scene:
    return draw_patient(PhantomConfig(), 3)[0].scene


def test_the_same_scene_gives_the_same_pixels_whatever_was_rendered_between(shown: Scene) -> None:
    first = render_radiograph(shown)
    render_radiograph(draw_patient(PhantomConfig(), 4)[0].scene)
    again = render_radiograph(shown)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.masks.keys() == again.masks.keys()


def test_another_exposure_gives_other_noise_and_the_same_chest(shown: Scene) -> None:
    one, two = (render_radiograph(replace(shown, exposure=replace(shown.exposure, seed=seed))).pixels for seed in (1, 2))
    assert (one != two).mean() > 0.5
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.99


def test_ap_enlarges_the_heart_hangs_the_arms_in_and_lifts_the_clavicles(shown: Scene) -> None:
    pa, ap = (render_radiograph(replace(shown, view=view, lesions={})).pixels for view in ("PA", "AP"))
    assert (pa != ap).mean() > 0.3


def test_a_letter_is_bright_where_it_stands(shown: Scene) -> None:
    plain, lettered = (
        render_radiograph(replace(shown, letters=letters)).pixels.astype(int) for letters in ((), (("E", (-100.0, 20.0)),))
    )
    denser = (lettered - plain) * (1 if shown.site.photometric == "MONOCHROME2" else -1)
    rows, columns = np.nonzero(denser > 300)
    assert len(rows) > 50
    assert np.ptp(rows) * shown.site.spacing < 26
    assert np.ptp(columns) * shown.site.spacing < 20


def test_letters_can_be_told_apart() -> None:
    boards = []
    for letter in "AELPR":
        board = np.zeros((467, 467), np.float32)
        stamp(board, letter, (0, 0), 1.0)
        boards.append(board)
    for index, board in enumerate(boards):
        assert all(np.abs(board - other).sum() > 20 for other in boards[index + 1 :])


def test_wires_are_dense(shown: Scene) -> None:
    bare, wired = (render_radiograph(replace(shown, wired=wired)).pixels.astype(int) for wired in (False, True))
    assert (np.abs(wired - bare) > 100).sum() > 100
