"""More ranks than cores are told before hours are spent on them."""

import torch

from medclassify.runs import core_count
from medclassify.training import Ranks
from medclassify.workflows.ranks import crowding


def test_more_ranks_than_cores_are_told():
    cores = core_count()
    said = crowding(Ranks(number=2 * cores, devices=2 * cores), "cpu")
    assert said is not None
    assert said.startswith(f"{2 * cores} ranks share {cores} cores of this machine")
    assert said.endswith(f"Set trainer.devices to at most {cores}.")


def test_ranks_that_have_a_core_each_are_not():
    cores = core_count()
    assert crowding(Ranks(number=cores, devices=cores), "cpu") is None
    assert crowding(Ranks(number=2 * cores, devices=cores, nodes=2), "cpu") is None  # as many a machine as it has
    assert crowding(Ranks(), "auto") is None


def test_ranks_of_gpus_are_not_counted_against_cores(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert crowding(Ranks(number=2 * core_count(), devices=2 * core_count()), "auto") is None
    assert crowding(Ranks(number=2 * core_count(), devices=2 * core_count()), "gpu") is None
