"""The way of the samples as a picture: what was found, what was left out and why, which split got what."""

import textwrap
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from medclassify.audit.facts import ReportFacts
from medclassify.audit.report.svg import box, path, picture, words

_WIDTH, _LEFT, _LINE = 400, 1, 17
_ROLES = {
    "train": "the network learns from these",
    "tune": "choose epoch and settings",
    "calibrate": "fit probabilities and thresholds",
    "test": "every figure of this report",
}


def flow_figure(facts: ReportFacts, tested: Sequence[str]) -> Markup:
    """The flow diagram; empty where nothing is known but a table.

    Args:
        facts: Its counts by split and exclusions by reason.
        tested: What came of the test split, one line each.
    """
    if not facts.counts:
        return Markup("")
    images = sum(counted.get(facts.sampled, 0) for counted in facts.counts.values())
    left_out = {reason: count for reason, count in facts.exclusions.items() if count}
    parts: list[Markup] = []
    y = 1.0
    told = []
    if left_out:
        found = f"{images + sum(left_out.values()):,} files or images considered"
        y = _boxed(parts, _LEFT, y, 330, [found])
        lines = [f"Left out: {sum(left_out.values()):,}", *(f"{count:,} × {reason}" for reason, count in left_out.items())]
        told += [found, *lines]
        parts.append(path(f"M40 {y:.0f}v28h60m-6,-4l6,4l-6,4", "arrow"))
        start = y
        y = _boxed(parts, 100, y + 12, _WIDTH - 101, lines, "aside")
        parts.append(path(f"M40 {start:.0f}V{y + 14:.0f}m-4,-6l4,6l4,-6", "arrow"))
        y += 14
    samples = f"{images:,} {facts.sampled} of {_patients(facts)}"
    told.append(samples)
    y = _boxed(parts, _LEFT, y, 330, [samples])
    top = y
    for name, counted in facts.counts.items():
        role = _ROLES.get(name, "")
        lines = [f"{name}: {_count(counted)}", *([role] if role else []), *(tested if name == "test" else ())]
        told += lines
        middle = y + 14 + _LINE
        parts.append(path(f"M40 {top:.0f}V{middle:.0f}H100m-6,-4l6,4l-6,4", "arrow"))
        y = _boxed(parts, 100, y + 14, _WIDTH - 101, lines, "split" if name == "test" else "")
    return picture("Flow of the samples", ". ".join(told) + ".", (_WIDTH, y + 2), parts)


def _boxed(parts: list[Markup], x: float, y: float, width: float, lines: Sequence[str], kind: str = "") -> float:
    """Draws a box around lines of text, the first of them strong, and says where it ends."""
    wrapped = [
        (piece, place == 0)
        for place, line in enumerate(lines)
        for piece in textwrap.wrap(line, int((width - 20) / 7.8)) or [""]
    ]
    height = _LINE * len(wrapped) + 14
    parts.append(box(x, y, width, height, f"box {kind}".strip()))
    for place, (text, strong) in enumerate(wrapped):
        parts.append(words(x + 10, y + 20 + _LINE * place, text, "strong" if strong else ""))
    return y + height


def _patients(facts: ReportFacts) -> str:
    # A patient stands in one split alone unless leakage was allowed; a sum would then count some twice.
    total = sum(counted.get("patients", 0) for counted in facts.counts.values())
    return f"{total:,} patients" if facts.leakage.get("clean", True) else f"at most {total:,} patients"


def _count(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{counted[kind]:,} {kind}" for kind in ("images", "series", "patients") if kind in counted)
