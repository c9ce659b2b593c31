"""Times two or more ways of doing one thing in one process, turn by turn, so that a busy machine slows both alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal


class NotMeasurableError(Exception):
    """A key cannot be measured here and now; the message says why. It is printed, and the key is not written."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a benchmark.

    Attributes:
        key: Its name in the results file.
        value: What was measured.
        goal: What it should reach, or None where there is none.
        better: Whether more or less is better.
        note: What was compared with what, on which input, with the spread.
        low: Smallest value of a round.
        high: Largest value of a round.
    """

    key: str
    value: float
    goal: float | None
    better: Literal["higher", "lower"]
    note: str
    low: float
    high: float

    @property
    def reached(self) -> bool:
        return is_reached(self.value, self.goal, self.better)


def is_reached(value: float, goal: float | None, better: str) -> bool:
    """Whether a value has its goal; without one it has."""
    if goal is None:
        return True
    return value >= goal if better == "higher" else value <= goal


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds a call of one side, one value a round, in the order of the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        low, middle, high = (_si(value) for value in (min(self.seconds), self.median, max(self.seconds)))
        return f"{middle} ({low} to {high})"


def interleave(sides: Mapping[str, Callable[[], object]], *, rounds: int, least_seconds: float = 0.02) -> dict[str, Timing]:
    """Times each side once a round; every second round runs in reverse order.

    Args:
        sides: Name to a call without arguments. Each is called once before, uncounted.
        rounds: Rounds to time.
        least_seconds: A side is repeated within a round until about this long, so that the clock's grain does not count.

    Returns:
        Seconds a call, by side.
    """
    repeats = {}
    for name, call in sides.items():
        call()
        started = time.perf_counter()
        call()
        repeats[name] = max(1, round(least_seconds / max(time.perf_counter() - started, 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in sides if turn % 2 == 0 else reversed(list(sides)):
            gc.collect()
            gc.disable()
            started = time.perf_counter()
            for _ in range(repeats[name]):
                sides[name]()
            seconds[name].append((time.perf_counter() - started) / repeats[name])
            gc.enable()
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def speed_ratio(
    key: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    names: tuple[str, str],
    goal: float,
    rounds: int,
    note: str,
) -> Measure:
    """How many times as fast ``ours`` is as ``theirs``: the median over rounds of theirs ÷ ours.

    Args:
        key: The measure's name.
        ours: The call of this library.
        theirs: The call it is compared with; both do the same work.
        names: What the two are called in the note.
        goal: The ratio to reach.
        rounds: Rounds to time.
        note: The input, in words.
    """
    timing = interleave({"ours": ours, "theirs": theirs}, rounds=rounds)
    ratios = [slow / fast for fast, slow in zip(timing["ours"].seconds, timing["theirs"].seconds, strict=True)]
    spread = f"{names[0]} {timing['ours']}, {names[1]} {timing['theirs']}, {rounds} interleaved rounds"
    return Measure(key, statistics.median(ratios), goal, "higher", f"{note}; {spread}", min(ratios), max(ratios))


def worst(key: str, measures: list[Measure]) -> Measure:
    """Of ratios for several inputs, the one that a user could be unlucky enough to have; the note lists all."""
    if not measures:
        raise NotMeasurableError("no input could be measured")
    lowest = min(measures, key=lambda measure: measure.value)
    everyone = "; ".join(f"{measure.key} {measure.value:.2f}: {measure.note}" for measure in measures)
    return Measure(
        key, lowest.value, lowest.goal, lowest.better, f"worst of {len(measures)}: {everyone}", lowest.low, lowest.high
    )


def _si(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
