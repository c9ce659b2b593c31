"""Subgroups and cells of a manifest, and what is said of them."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from medclassify.config import Config, OptimizerConfig
from medclassify.data import PreparedDataset
from medclassify.errors import ManifestError
from medclassify.manifest import CORE_COLUMNS, Manifest
from medclassify.workflows.mitigation import mitigate, mitigation_facts, require_attribute


def made(sex: list[str | None], a: list[float], b: list[float]) -> tuple[Manifest, PreparedDataset]:
    n = len(sex)
    labels = np.array([a, b]).T
    known = {"sample_id": [f"s{i}" for i in range(n)], "split": "train", "sex": sex, "a": a, "b": b}
    frame = pd.DataFrame({**dict.fromkeys(CORE_COLUMNS, "x"), **known})
    mask = ~np.isnan(labels)
    data = PreparedDataset(np.zeros((n, 1, 4, 4), np.uint8), np.arange(n), np.nan_to_num(labels), mask)
    return Manifest(frame, ("a", "b"), "labels.csv", "generic"), data


def settings(name: str, attribute: str | None = "sex") -> Config:
    return Config(optimizer=OptimizerConfig(mitigation=name, mitigation_attribute=attribute))  # type: ignore[arg-type]


def test_every_image_is_in_the_cell_of_its_subgroup_and_its_rarest_finding(capsys: pytest.CaptureFixture[str]) -> None:
    # b is rarer than a; an uncertain label learnt as 0.7 counts as shown, an unlabelled one does not
    rows = [("F", 1, 0)] * 40 + [("F", 1, 1)] * 6 + [("F", 0, 0.7)] * 4 + [("M", 0, 0)] * 44 + [(None, 1, np.nan)] * 4
    manifest, train = made([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    found = mitigate(manifest, train, settings("balanced_sampling"))
    assert found.order is not None and found.group_dro is None
    kind = np.array(["F × a"] * 40 + ["F × b"] * 10 + ["M × no finding"] * 44 + ["missing × a"] * 4)
    drawn = Counter(kind[list(found.order)].tolist())
    assert max(drawn.values()) - min(drawn.values()) <= 1 and len(drawn) == 4
    said = capsys.readouterr()
    assert "bias mitigation: balanced sampling by sex (F 50, M 44, missing 4 images)" in said.out
    assert "4 cells, up to 25 draws each in an epoch of 98" in said.out
    assert "fewer than 50 train images may be learnt by heart: M (44), missing (4)" in said.err
    assert found.notes[0].startswith("bias mitigation: balanced sampling by sex") and len(found.notes) == 3


def test_a_cell_that_would_repeat_too_often_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    manifest, train = made(["F"] * 97 + ["M"] * 3, [0.0] * 100, [1.0] * 100)
    mitigate(manifest, train, settings("balanced_sampling"))
    assert "held at 10 draws an image: M × b (3 images, 30 draws)" in capsys.readouterr().out


def test_group_dro_draws_subgroups_alike_whatever_they_show() -> None:
    manifest, train = made(["F"] * 60 + ["M"] * 90, [0.0] * 150, [1.0] * 150)
    found = mitigate(manifest, train, settings("group_dro"))
    assert found.group_dro is not None and found.group_dro.levels == ("F", "M") and found.order is not None
    assert found.group_dro.groups.tolist() == [0] * 60 + [1] * 90
    assert Counter(np.array(["F"] * 60 + ["M"] * 90)[list(found.order)].tolist()) == {"F": 75, "M": 75}


def test_off_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    manifest, train = made(["F", "M"], [0, 1], [1, 0])
    found = mitigate(manifest, train, Config())
    assert (found.order, found.group_dro, found.notes) == (None, None, ())
    assert capsys.readouterr() == ("", "") and mitigation_facts(OptimizerConfig()) == {}
    assert mitigation_facts(settings("group_dro").optimizer) == {"mitigation": "group DRO by sex"}


def test_what_is_refused_before_images_are_decoded() -> None:
    manifest, train = made(["F"] * 4, [0, 1, 0, 1], [1, 0, 1, 0])
    require_attribute(manifest, OptimizerConfig())
    for name in ("six", "patient_id", "a"):
        with pytest.raises(ManifestError, match=f"mitigation_attribute '{name}' is not an attribute.*Known are: sex, age_band"):
            require_attribute(manifest, settings("group_dro", name).optimizer)
    with pytest.raises(ManifestError, match=r"one subgroup in the manifest \(F\): there is nothing to even out"):
        require_attribute(manifest, settings("group_dro").optimizer)
    with pytest.raises(ManifestError, match=r"one subgroup in the train split \(F\)"):
        mitigate(manifest, train, settings("balanced_sampling"))
