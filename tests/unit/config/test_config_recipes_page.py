"""Every config of the page on recipes can be run as it stands, and the page knows every recipe."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch

from medclassify.config import OptimizerConfig, load_config

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_every_recipe_has_its_section() -> None:
    recipes = get_args(get_type_hints(OptimizerConfig)["recipe"])
    headings = [line.removeprefix("## ").split(" ")[0] for line in PAGE.splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in recipes] == list(recipes)


@pytest.mark.parametrize("block", BLOCKS)
def test_its_config_lines_are_read(block: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(block, encoding="utf-8")
    load_config(path)


def test_the_numbers_it_names_are_those_of_the_program() -> None:
    from medclassify.training import FINE_STRENGTHS, STRENGTHS
    from medclassify.training.recipe import SMALLEST_BATCH

    assert len(BLOCKS) >= 5 and len(FINE_STRENGTHS) == 13 and "Thirteen L2 penalties" in PAGE
    assert len(STRENGTHS) == 5 and "five penalties" in PAGE
    assert f"below {SMALLEST_BATCH} images a step on a device" in PAGE


def test_the_numbers_of_losses_and_mitigation_are_those_of_the_program() -> None:
    from medclassify.data.balance import MOST_REPEATS
    from medclassify.training.group_dro import STEP_SIZE
    from medclassify.training.loss import asymmetric_terms, focal_terms
    from medclassify.workflows.mitigation import FEW

    assert f"more than {MOST_REPEATS} times an epoch" in PAGE and f"exp({STEP_SIZE} ×" in PAGE
    assert f"fewer than {FEW} train images" in PAGE
    ends = []
    for share in (0.1, 0.9):
        for terms in (focal_terms, asymmetric_terms):
            logits = torch.linspace(-5, 5, 10_001)[:, None]
            loss = terms(logits, torch.full_like(logits, share), torch.ones(1))
            ends.append(round(float(torch.sigmoid(logits[loss.argmin()])), 2))
    assert f"of 0.1 they make {ends[0]} and {ends[1]}, of 0.9 they make {ends[2]} and {ends[3]}" in PAGE
