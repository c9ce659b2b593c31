"""Every example in a docstring of these two packages runs and gives what it shows; those of pages are run in tests/docs."""

import doctest
import importlib
import pkgutil

import medclassify.calibration
import medclassify.metrics

MODULES = [
    name
    for package in (medclassify.metrics, medclassify.calibration)
    for _, name, _ in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


def test_examples_of_docstrings():
    results = [doctest.testmod(importlib.import_module(name)) for name in MODULES]
    assert sum(found.attempted for found in results) >= 2
    assert sum(found.failed for found in results) == 0
