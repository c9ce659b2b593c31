"""How often 95 % intervals hold the truth, on simulated samples of known AUROC; not a comparison of speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.harness import Measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sample = tuple[NDArray[np.bool_], NDArray[np.float64], "NDArray[np.intp] | None"]

CORES = 1
POSITIVES = (10, 20, 50, 100, 500)
"""With nine negatives each."""
AREAS = (0.75, 0.90, 0.97)
PATIENTS = 150
"""Of one to six images, which resemble each other."""


def keys(quick: bool) -> Mapping[str, Callable[[], Measure]]:
    """The measures of this benchmark."""
    simulations = 200 if quick else 2000
    return {
        "auroc_at_10": lambda: _lowest("auroc_at_10", _independent(simulations), 0.909, lambda n: n == 10, simulations),
        "auroc_from_20": lambda: _lowest("auroc_from_20", _independent(simulations), 0.93, lambda n: n >= 20, simulations),
        "auroc_from_20_most": lambda: _highest("auroc_from_20_most", _independent(simulations), simulations),
        "auroc_clustered": lambda: _lowest("auroc_clustered", _clustered(simulations), 0.93, lambda n: True, simulations),
        "max_t_family_error": lambda: max_t_family_error(40 if quick else 500),
    }


def max_t_family_error(simulations: int) -> Measure:
    """Share of samples of five identical groups in which a simultaneous interval of a gap to the first leaves out 0."""
    import numpy as np

    from medclassify import metrics

    generator, groups, patients, wrong = np.random.default_rng(2), 5, 1000, 0
    for simulation in range(simulations):
        positive, score, _ = next(_samples(generator, 200, 800, 0.85, 1))
        member = generator.permutation(np.arange(patients) % groups)
        statistics = [
            metrics.WeightedAuroc(positive[member == g], score[member == g], np.flatnonzero(member == g)) for g in range(groups)
        ]
        drawn = _logit(metrics.replicate(statistics, patients, resamples=500, seed=simulation))
        areas = _logit(np.array([statistic(np.ones((1, patients), np.uint16))[0] for statistic in statistics]))
        found = metrics.max_t(areas[1:] - areas[0], drawn[1:] - drawn[0])
        wrong += bool(((found.low > 0) | (found.high < 0)).any())
    share, error = wrong / simulations, (0.05 * 0.95 / simulations) ** 0.5
    note = f"{simulations} samples of {groups} groups of 200, 500 resamples; .05 ± {2 * error:.3f} expected"
    return Measure("max_t_family_error", share, 0.05 + 2 * error, "lower", note, share, share)


@cache
def _independent(simulations: int) -> dict[tuple[int, float], float]:
    """Coverage by number of positives and true AUROC, one image a patient."""
    import numpy as np

    generator = np.random.default_rng(0)
    return {
        (n_pos, area): _coverage(_samples(generator, n_pos, 9 * n_pos, area, simulations), area)
        for n_pos in POSITIVES
        for area in AREAS
    }


@cache
def _clustered(simulations: int) -> dict[tuple[int, float], float]:
    """Coverage by number of patients and true AUROC, patients of several images."""
    import numpy as np
    from scipy.special import ndtri

    generator = np.random.default_rng(1)

    def samples(area: float) -> Iterator[Sample]:
        for _ in range(simulations):
            patients = np.repeat(np.arange(PATIENTS), generator.integers(1, 7, PATIENTS))
            ill = (generator.random(PATIENTS) < 0.35)[patients]
            alike, own = 0.67**0.5, 0.33**0.5
            noise = alike * generator.normal(size=PATIENTS)[patients] + own * generator.normal(size=patients.size)
            yield ill, noise + 2**0.5 * ndtri(area) * ill, patients

    return {(PATIENTS, area): _coverage(samples(area), area) for area in AREAS}


def _samples(generator: np.random.Generator, n_pos: int, n_neg: int, area: float, simulations: int) -> Iterator[Sample]:
    """Normal scores of equal spread, whose means are as far apart as the AUROC says."""
    import numpy as np
    from scipy.special import ndtri

    positive = np.arange(n_pos + n_neg) < n_pos
    for _ in range(simulations):
        yield positive, generator.normal(size=positive.size) + 2**0.5 * ndtri(area) * positive, None


def _coverage(samples: Iterator[Sample], truth: float) -> float:
    from medclassify.metrics import auroc

    found = [auroc(positive, score, patients=patients) for positive, score, patients in samples]
    return sum(one.ci_low <= truth <= one.ci_high for one in found if one.ci_low is not None) / len(found)  # type: ignore[operator]


def _logit(area: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    inside = np.clip(area, 1e-3, 1 - 1e-3)
    return np.log(inside / (1 - inside))


def _lowest(
    key: str, found: dict[tuple[int, float], float], goal: float, chosen: Callable[[int], bool], simulations: int
) -> Measure:
    held = {cell: share for cell, share in found.items() if chosen(cell[0])}
    return Measure(key, min(held.values()), goal, "higher", _note(held, simulations), min(held.values()), max(held.values()))


def _highest(key: str, found: dict[tuple[int, float], float], simulations: int) -> Measure:
    held = {cell: share for cell, share in found.items() if cell[0] >= 20}
    return Measure(key, max(held.values()), 0.97, "lower", _note(held, simulations), min(held.values()), max(held.values()))


def _note(held: dict[tuple[int, float], float], simulations: int) -> str:
    cells = ", ".join(f"{n}/{area:.2f} {share:.3f}" for (n, area), share in held.items())
    error = (0.95 * 0.05 / simulations) ** 0.5
    named = "positives (patients, where clustered)/true AUROC"
    return f"{named}: {cells}; {simulations} samples each, ± {2 * error:.3f}"
