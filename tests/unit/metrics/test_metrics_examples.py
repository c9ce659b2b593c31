"""Every example in the documentation and in a docstring of these two packages runs and gives what it shows."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import medclassify.calibration
import medclassify.metrics

MODULES = [
    name
    for package in (medclassify.metrics, medclassify.calibration)
    for _, name, _ in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("page", ["metrics.md", "calibration.md"])
def test_examples_of_a_page(page: str, repository: Path):
    found = doctest.testfile(str(repository / "docs" / page), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


def test_examples_of_docstrings():
    results = [doctest.testmod(importlib.import_module(name)) for name in MODULES]
    assert sum(found.attempted for found in results) >= 2
    assert sum(found.failed for found in results) == 0
