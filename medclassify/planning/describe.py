"""A plan in lines: what was seen, what to expect, what it will take."""

from collections.abc import Mapping, Sequence
from typing import Any

from medclassify.planning.choice import Choice
from medclassify.planning.facts import DataFacts, Hardware, ImageFacts, StepCost
from medclassify.planning.limits import ASSUMED_AUROC, Expected
from medclassify.planning.plan import Minutes
from medclassify.planning.training_rules import memory_needed


def data_lines(data: DataFacts, images: ImageFacts) -> list[str]:
    """The dataset's fingerprint."""
    shares = 100 * images.windowed / max(images.decoded, 1)
    return [
        (
            f"data: {data.images:,} images of {data.patients:,} patients (at most {data.most_images} of one); "
            f"{_counted(data.modalities)}; views: {_counted(data.views)}"
        ),
        f"splits: {_counted(data.split_images)} images, {'as published' if data.published else 'drawn by patient'}",
        (
            f"files: {images.read} headers read: {_range(images.rows)} rows, {_range(images.columns)} columns (smallest, "
            f"median, largest), bits stored {_counted(images.bits)}"
        ),
        (
            f"grey: {images.decoded} decoded: {shares:.0f} % with a window of their own, mean {images.grey[0]:.2f}, spread "
            f"{images.grey[1]:.2f} of 1; {images.warned} with a warning"
        ),
    ]


def machine_lines(hardware: Hardware, cost: StepCost, minutes: Minutes, batch: int) -> list[str]:
    """What it runs on, and how long."""
    gpu = f"{hardware.gpu} with {hardware.gpu_gib:.0f} GiB" if hardware.gpu else "no GPU"
    return [
        f"machine: {hardware.cores} cores, {hardware.memory_gib:.0f} GiB, {gpu}",
        (
            f"cost, measured over {cost.steps} steps: {1000 * cost.train_seconds:.3g} ms an image to train, "
            f"{1000 * cost.forward_seconds:.3g} ms to score; "
            f"a step of {batch} takes {memory_needed(batch, cost) / 2**30:.1f} GiB"
        ),
        (
            f"time, at the most: {_time(minutes.total)} (prepare {_time(minutes.prepare)}, train {_time(minutes.train)}, "
            f"calibrate and test {_time(minutes.score)}); explaining and the audit come on top"
        ),
    ]


def expected_table(expected: Sequence[Expected]) -> list[str]:
    """A line a finding: positives by split, calibrator, and the interval to expect."""
    rows = [["finding", "train", "calibrate", "calibrator", "test", "patients in test", f"95% CI of AUROC {ASSUMED_AUROC:g}"]]
    for row in expected:
        positive, negative = row.test_patients
        limits = f"{row.interval[0]:.2f}-{row.interval[1]:.2f}" if row.interval else "not estimable"
        counts = [str(row.train), str(row.calibrate), row.calibrator, str(row.test), f"{positive} / {negative}", limits]
        rows.append([row.finding, *counts])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [
        *lines,
        "train, calibrate, test: positive images. Patients in test: with the finding / without. Interval: Hanley & McNeil 1982",
        "on patients, as if each had one image: the truth lies between this and the same on images.",
    ]


def plan_summary(lines: Sequence[str], expected: Sequence[Expected], choices: Sequence[Choice], warnings: Sequence[str]) -> str:
    """What the console shows: the facts, the table, the choices without their reasons, the warnings."""
    width = max(len(choice.key) for choice in choices)
    return "\n".join(
        [
            "",
            *lines,
            "",
            *expected_table(expected),
            "",
            *(f"{choice.key:{width}}  {_short(choice.value)}" for choice in choices),
            *(["", "warnings:", *(f"  - {line}" for line in warnings)] if warnings else []),
        ]
    )


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def _counted(counts: Mapping, shown: int = 8) -> str:
    largest = sorted(counts.items(), key=lambda item: -item[1])
    text = ", ".join(f"{name or 'not stated'} {count:,}" for name, count in largest[:shown])
    return text + (f", and {len(largest) - shown} more" if len(largest) > shown else "")


def _range(three: tuple[int, int, int]) -> str:
    low, middle, high = three
    return str(low) if low == high else f"{low}, {middle}, {high}"


def _time(minutes: float) -> str:
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
