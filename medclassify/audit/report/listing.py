"""Facts as tables of item and value, and shares of a whole: what several sections print."""

from collections.abc import Mapping
from typing import Any

from medclassify.audit.keys import said
from medclassify.audit.report.views import TableView, Td, count_text
from medclassify.audit.words import number

_STATED = ("consent", "licence")  # by a person; "not given" would read as a refusal


def flat_table(caption: str, values: Mapping[str, Any]) -> TableView | None:
    """Nested facts as lines of ``Key, key: value``, in words."""
    rows = tuple(
        (Td(said(name)), Td(said((text,)) if name[-1] == "chosen_by" and text != "none" else text, kind="words"))
        for name, text in _flat(values)
    )
    return TableView(caption, ("Item", "Value"), rows, kind="narrow") if rows else None


def config_table(values: Mapping[str, Any]) -> TableView | None:
    """The configuration, each setting under the name that it has in the file (``data.source``)."""
    rows = tuple((Td(".".join(name)), Td(text, kind="words")) for name, text in _flat(values))
    return TableView("Configuration", ("Setting", "Value"), rows, kind="narrow") if rows else None


def share(part: int, whole: int) -> str:
    """``31 (15.5 %)``."""
    return f"{part:,} ({number(part / whole, 'prevalence')})" if whole else "0"


def _flat(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    lines: list[tuple[tuple[str, ...], str]] = []
    for key, value in values.items():
        name = (*above, str(key))
        if key == "exclude_patients":
            # These are ids as a hospital writes them; a report goes from hand to hand.
            lines.append((name, f"{len(value or ())} patients"))
        elif isinstance(value, Mapping):
            lines += _flat(value, name)
        elif isinstance(value, (list, tuple)):
            lines.append((name, ", ".join(_plain(item) for item in value) or "none"))
        else:
            lines.append((name, _plain(value, "NOT PROVIDED" if key in _STATED else "none")))
    return lines


def _plain(value: Any, blank: str = "none") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return count_text(value) if value >= 10_000 else str(value)
    return blank if value is None or value in ("", "not given") else str(value)
