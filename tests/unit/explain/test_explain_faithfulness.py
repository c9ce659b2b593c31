"""Insertion and deletion tell a map of what the network uses from maps that know nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from medclassify.explain import faithfulness
from medclassify.explain.faithfulness import insertion_less_deletion
from medclassify.records import PreparedGeometry

SIDE = 32


class Spot(nn.Module):
    """A network that sees one thing: how bright the left upper eighth is."""

    def forward(self, images):
        spot = images[:, :, 4:12, 4:12].mean(dim=(1, 2, 3))
        return torch.stack([spot, -spot], dim=1)


@pytest.fixture
def images():
    torch.manual_seed(0)
    pictures = 0.3 * torch.rand(12, 3, SIDE, SIDE)
    pictures[:, :, 4:12, 4:12] += 2
    return pictures


def spot_map(sign: float = 1.0) -> torch.Tensor:
    right = torch.zeros(12, 8, 8)
    right[:, 1:3, 1:3] = sign
    return right


def geometry(top: int = 0, height: int = SIDE) -> PreparedGeometry:
    return PreparedGeometry(rows=100, columns=100, size=SIDE, top=top, left=0, height=height, width=SIDE)


def score(images, maps, findings=(0,) * 12):
    return faithfulness(Spot(), images, list(findings), maps, [geometry()] * 12, [f"p{i // 2}" for i in range(12)])


def test_the_right_map_beats_both_baselines(images) -> None:
    found = score(images, spot_map())
    assert found.passed and found.n_maps == 12 and found.n_patients == 6
    assert [gain.baseline for gain in found.gains] == ["a random map of the same grain", "a Gaussian at the centre"]
    assert all(0 < gain.low <= gain.mean <= gain.high for gain in found.gains)


@pytest.mark.parametrize(("maps", "findings"), [(spot_map(-1.0), (0,) * 12), (spot_map(), (1,) * 12)])
def test_a_map_turned_inside_out_or_of_another_finding_fails(images, maps, findings) -> None:
    found = score(images, maps, findings)
    assert not found.passed and found.mean < 0


def test_noise_fails(images) -> None:
    torch.manual_seed(1)
    assert not score(images, torch.randn(12, 8, 8)).passed


def test_padding_is_never_shown_or_taken_away(images) -> None:
    inside = torch.zeros(12, SIDE, SIDE, dtype=torch.bool)
    inside[:, 16:] = True  # the spot lies in padding: nothing that is done to the image moves the logit
    only_padding = insertion_less_deletion(Spot(), images, [0] * 12, spot_map(), inside)
    np.testing.assert_allclose(only_padding, insertion_less_deletion(Spot(), images, [0] * 12, -spot_map(), inside), atol=1e-6)
