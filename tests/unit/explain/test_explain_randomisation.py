"""Weights made random change a learnt map; a map that does not depend on them is found out."""

import pytest
import torch

from medclassify.explain import Method, cascading_randomisation, saliency_method
from medclassify.models import create_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_network("test_efficientnet", 3).eval()


def edges(network, images, findings):
    """A planted fault: an edge detector in the place of an explanation."""
    maps = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True).abs(), 16)
    return maps.expand(-1, len(findings), -1, -1)


def test_randomising_changes_a_learnt_map_and_leaves_the_network_alone(network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = cascading_randomisation(network, torch.randn(6, 3, 96, 96), range(3), saliency_method("grad_cam"), seed=3)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert found.stages[0] == "classifier" and found.stages[-1] == "bn1" and found.n_maps == 18
    assert len(found.rank_correlation) == len(found.stages) == len(found.ssim)
    assert sum(found.by_finding) / 3 == pytest.approx(found.rank_correlation[-1])
    assert found.passed == (found.rank_correlation[-1] <= 0.5)


def test_maps_that_do_not_depend_on_the_weights_fail(network) -> None:
    found = cascading_randomisation(network, torch.randn(4, 3, 96, 96), range(3), Method("edges", edges, "input"))
    assert not found.passed and found.rank_correlation[-1] > 0.99 and found.ssim[-1] > 0.99


def test_a_costly_method_is_looked_at_less_often(network) -> None:
    cheap, costly = (
        cascading_randomisation(network, torch.randn(2, 3, 96, 96), [0], Method("edges", edges, "input", costly=costly))
        for costly in (False, True)
    )
    assert len(costly.stages) < len(cheap.stages) / 2 and costly.stages[-1] == cheap.stages[-1]
