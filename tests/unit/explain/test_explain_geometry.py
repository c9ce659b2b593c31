"""Maps go back to where they came from, and are scaled by the model's own reference."""

import numpy as np

from medclassify.explain import saliency_limit, to_image_geometry
from medclassify.records import PreparedGeometry


def test_limit_is_per_finding_and_zero_where_nothing_speaks_for_it() -> None:
    maps = np.zeros((5, 2, 4, 4), np.float32)
    maps[:, 0] = np.linspace(0, 10, 80).reshape(5, 4, 4)
    maps[:, 1] = -1
    limits = saliency_limit(maps)
    assert 9.5 < limits[0] <= 10 and limits[1] == 0


def test_a_bright_spot_returns_to_its_own_pixel() -> None:
    geometry = PreparedGeometry(rows=300, columns=200, size=96, top=0, left=16, height=96, width=64)
    square = np.zeros((96, 96), np.float32)
    square[24, 16 + 48] = 1  # a quarter down, three quarters across the original
    back = to_image_geometry(square, geometry)
    assert back.shape == (300, 200) and back.dtype == np.float32
    row, column = np.unravel_index(back.argmax(), back.shape)
    assert abs(row - 300 * 24.5 / 96) <= 2 and abs(column - 200 * 48.5 / 64) <= 2
