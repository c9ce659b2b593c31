"""Zones without anatomy are found on the phantom's pictures, and saliency that gathers there alarms."""

import numpy as np
import pytest

from medclassify.explain import WatchedMap, find_zones, shortcut_table, worst_cases, zone_shares


def chest(letter: bool = True) -> np.ndarray:
    """A bright body on black with two dark lungs inside, and a lead letter beside the neck."""
    rows, columns = np.mgrid[0:300, 0:240]
    image = np.where(((columns - 120) / 100) ** 2 + ((rows - 180) / 150) ** 2 < 1, 0.6, 0.0)
    for middle in (80, 160):
        image[((columns - middle) / 28) ** 2 + ((rows - 170) / 70) ** 2 < 1] = 0.05
    if letter:
        image[20:36, 20:24] = image[20:24, 20:30] = image[28:31, 20:30] = 1.0
    return image.astype(np.float32)


def test_air_is_outside_and_lungs_are_not() -> None:
    zones = find_zones(chest())
    scale = zones.outside.shape[0] / 300
    at = lambda row, column: zones.outside[int(row * scale), int(column * scale)]  # noqa: E731
    assert at(290, 5) and at(60, 5) and not at(170, 80) and not at(170, 120)


def test_a_letter_is_found_and_nothing_where_there_is_none() -> None:
    with_letter, without = find_zones(chest()), find_zones(chest(letter=False))
    assert not without.text.any()
    rows, columns = np.nonzero(with_letter.text)
    scale = with_letter.text.shape[0] / 300
    assert rows.max() <= 40 * scale and columns.max() <= 36 * scale and with_letter.text.mean() < 0.02


def test_the_border_is_five_percent() -> None:
    border = find_zones(chest()).border
    assert border[0].all() and border[:, -1].all() and border.mean() == pytest.approx(1 - 0.9 * 0.9, abs=0.02)


def test_shares_are_of_what_speaks_for_and_against() -> None:
    zones, saliency = find_zones(chest()), np.zeros((300, 240), np.float32)
    saliency[22:34, 21:23], saliency[150:160, 75:87] = -1.0, 0.2
    share, area = zone_shares(saliency, zones)["text"]
    assert share == pytest.approx(24 / (24 + 24), abs=0.05) and area < 0.02
    assert zone_shares(np.zeros_like(saliency), zones)["text"][0] == 0


def watched(number: int, share: float, area: float = 0.02) -> WatchedMap:
    return WatchedMap(
        f"s{number}", f"p{number}", "effusion", {"outside": (0.1, 0.3), "border": (0.1, 0.19), "text": (share, area)}
    )


def test_saliency_at_letters_alarms_and_even_saliency_does_not() -> None:
    loud = shortcut_table([watched(number, 0.3 + 0.01 * number) for number in range(8)]).set_index("zone")
    assert bool(loud.loc["text", "alarm"]) and loud.loc["text", "lift"] == pytest.approx(0.335 / 0.02)
    assert not loud.loc["outside", "alarm"] and not loud.loc["border", "alarm"]
    quiet = shortcut_table([watched(number, 0.02) for number in range(8)])
    assert not quiet["alarm"].any()


def test_too_few_images_with_letters_are_not_judged() -> None:
    table = shortcut_table([watched(number, 0.9, 0.02 if number < 3 else 0.0) for number in range(9)]).set_index("zone")
    assert (
        not table.loc["text", "alarm"]
        and table.loc["text", "note"] == "maps of 3 patients with such a zone, of 5 needed: not judged"
    )


def test_worst_cases_come_first() -> None:
    table = worst_cases([watched(number, share) for number, share in enumerate((0.1, 0.8, 0.3))])
    assert table["sample_id"].tolist()[:3] == ["s1", "s2", "s0"] and table["zone"].iloc[0] == "text"
    assert table["lift"].iloc[0] == pytest.approx(40)
