"""Several CT windows as channels."""

import numpy as np
import pytest

from medclassify.display import CT_WINDOWS, apply_window, ct_channels
from medclassify.errors import ConfigError, UnsupportedImageError


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        # c − 0.5 − (w − 1)/2 and c − 0.5 + (w − 1)/2 of PS3.3 C.11.2.1.2.1, by hand.
        ("brain", 0, 79),
        ("subdural", -32.5, 181.5),
        ("lung", -1350, 149),
        ("mediastinum", -160, 239),
        ("bone", -500, 1299),
        ("stroke", 20, 59),
        ("abdomen", -150, 249),
        ("liver", -45, 104),
        ("embolism", -250, 449),
        ("temporal_bone", -800, 1999),
    ],
)
def test_each_window_spans_what_it_is_known_for(name: str, black: float, white: float) -> None:
    hu = np.array([[black - 1, black, (black + white) / 2, white, white + 1]], np.float32)
    grey = ct_channels(hu, [name])[0, 0]
    np.testing.assert_allclose(grey, [0, 0, 0.5, 1, 1], atol=1e-6)
    step = 1e-3 * (white - black)
    inside = ct_channels(np.array([[black + step, white - step]], np.float32), [name])[0, 0]
    assert 0 < inside[0] < inside[1] < 1


def test_the_table_above_is_complete() -> None:
    marks = test_each_window_spans_what_it_is_known_for.pytestmark[0]
    assert {row[0] for row in marks.args[1]} == set(CT_WINDOWS)


def test_channels_stand_in_the_order_of_the_names() -> None:
    hu = np.linspace(-1000, 1000, 30, dtype=np.float32).reshape(5, 6)
    channels = ct_channels(hu, ["bone", "brain", "lung"])
    assert channels.shape == (3, 5, 6) and channels.dtype == np.float32
    for channel, name in zip(channels, ["bone", "brain", "lung"], strict=True):
        np.testing.assert_array_equal(channel, apply_window(hu, *CT_WINDOWS[name]))


def test_a_stack_keeps_its_slices() -> None:
    hu = np.random.default_rng(0).normal(0, 400, (4, 5, 6)).astype(np.float32)
    before = hu.copy()
    channels = ct_channels(hu, ["brain", "subdural"])
    assert channels.shape == (2, 4, 5, 6)
    for index in range(4):
        np.testing.assert_array_equal(channels[:, index], ct_channels(hu[index], ["brain", "subdural"]))
    np.testing.assert_array_equal(hu, before)
    assert channels.reshape(-1, 5, 6).shape == (8, 5, 6)


def test_an_unknown_window_names_the_nearest_and_all() -> None:
    with pytest.raises(ConfigError, match=r"'brian' is not known; did you mean brain\? Known: lung, mediastinum, .*stroke"):
        ct_channels(np.zeros((2, 2), np.float32), ["lung", "brian"])
    with pytest.raises(ConfigError, match="'zzz' is not known; known: lung"):
        ct_channels(np.zeros((2, 2), np.float32), ["zzz"])


def test_no_window_is_no_picture() -> None:
    with pytest.raises(ConfigError, match="no CT window named: give at least one of lung"):
        ct_channels(np.zeros((2, 2), np.float32), [])


@pytest.mark.parametrize(
    "hu",
    [np.zeros(3, np.float32), np.zeros((1, 2, 2, 2), np.float32), np.zeros((0, 2), np.float32), np.zeros((2, 2), np.int16)],
)
def test_only_slices_and_stacks_are_taken(hu: np.ndarray) -> None:
    with pytest.raises(UnsupportedImageError, match=r"hu must be float \(height, width\) or \(slices, height, width\)"):
        ct_channels(hu, ["brain"])


def test_nan_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="not finite"):
        ct_channels(np.array([[0, np.nan]], np.float32), ["brain"])
