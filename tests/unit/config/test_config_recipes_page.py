"""Every config of the page on recipes can be run as it stands, and the page knows every recipe."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

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
