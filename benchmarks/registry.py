"""Finds the benchmarks: every module of ``benchmarks.suite``."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Protocol, cast

import benchmarks.suite
from benchmarks.harness import Measure


class Benchmark(Protocol):
    """What a module of the suite offers."""

    CORES: int | None
    """How many cores it may use; None for all."""

    def keys(self, quick: bool) -> Mapping[str, Callable[[], Measure]]:
        """The calls that measure, by key, in the order to run them."""
        ...


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.suite.__path__))


def load(name: str) -> Benchmark:
    """Imports one benchmark."""
    return cast(Benchmark, importlib.import_module(f"benchmarks.suite.{name}"))


def title(name: str) -> str:
    """The first line of its docstring."""
    return (importlib.import_module(f"benchmarks.suite.{name}").__doc__ or "").splitlines()[0]
