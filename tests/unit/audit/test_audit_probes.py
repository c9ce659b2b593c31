"""Probes: what is planted in embeddings is read off them, what is not stands at chance."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from medclassify.audit.probes import AttributeProbe, Embedded, probe_attribute, probe_from_json
from medclassify.records import Status


def embedded(n: int, seed: int, *, planted: float, levels: tuple[str, ...] = ("F", "M"), images: int = 2) -> Embedded:
    """Embeddings of 16 numbers; in the model's the level moves one of them, in the initial ones nothing."""
    random = np.random.default_rng(seed)
    patient = np.arange(n) // images
    number = random.integers(0, len(levels), patient.max() + 1)[patient]
    model = random.normal(size=(n, 16)).astype(np.float32)
    model[np.arange(n), number] += planted
    initial = random.normal(size=(n, 16)).astype(np.float32)
    return Embedded(model, initial, np.array(levels, object)[number], [f"{seed}-{one}" for one in patient])


def probe(train: Embedded, test: Embedded) -> AttributeProbe | None:
    return probe_attribute("sex", train, test, initial_name="ImageNet-frozen", resamples=100)


@pytest.mark.parametrize("levels", [("F", "M"), ("A", "B", "C")])
def test_a_planted_attribute_is_read_off_and_the_permuted_one_is_not(levels):
    found = probe(embedded(400, 0, planted=2.0, levels=levels), embedded(300, 1, planted=2.0, levels=levels))
    assert found is not None
    assert found.model.ci_low > 0.75
    assert found.initial is not None
    assert found.initial.ci_high < 0.65
    assert found.permuted.ci_low < 0.55
    assert set(found.levels) == set(levels)
    assert (found.n_train, found.n_test) == (400, 300)


def test_what_is_not_encoded_stands_at_chance():
    found = probe(embedded(400, 0, planted=0.0), embedded(400, 1, planted=0.0))
    assert found is not None
    assert found.model.ci_low < 0.5 < found.model.ci_high


def test_missing_and_rare_levels_are_left_out_and_named():
    train, test = embedded(300, 0, planted=1.0), embedded(300, 1, planted=1.0)
    for part in (train, test):
        part.level[:8], part.level[8:60] = "O", "missing"
    found = probe(train, test)
    assert found is not None
    assert set(found.levels) == {"F", "M"}
    assert found.note == "left out, missing or too few: O, missing"
    assert found.n_test == 240


def test_one_level_is_no_probe():
    train, test = embedded(100, 0, planted=1.0), embedded(100, 1, planted=1.0)
    test.level[:] = "F"
    assert probe(train, test) is None


def test_a_network_without_initial_embeddings_says_so():
    train, test = embedded(200, 0, planted=1.0), embedded(200, 1, planted=1.0)
    found = probe(Embedded(train.model, None, train.level, train.patients), test)
    assert found is not None
    assert found.initial is None
    assert found.model.status is Status.OK


def test_a_probe_survives_json():
    found = probe(embedded(200, 0, planted=1.0), embedded(200, 1, planted=1.0))
    assert found is not None
    assert probe_from_json(json.loads(json.dumps(asdict(found)))) == found
