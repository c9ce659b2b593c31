"""Words and numbers from elsewhere, made harmless: finding names, ids, comments and errors are shown as the text they are."""

import html
import re
from collections.abc import Mapping
from decimal import Decimal

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&^=@/])")


def plain(text: str) -> str:
    """Text for a place where Streamlit reads Markdown, escaped so that it is shown as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def escaped(text: str) -> str:
    """Text for a place where HTML is read."""
    return html.escape(text)


def apart(probability: float, threshold: float) -> tuple[str, str]:
    """Both in per cent, with one decimal or as many as tell them apart: what is printed must bear out what was called."""
    exact = 100 * Decimal(probability), 100 * Decimal(threshold)
    decimals = 1
    while probability != threshold and f"{exact[0]:.{decimals}f}" == f"{exact[1]:.{decimals}f}":
        decimals += 1
    return f"{exact[0]:.{decimals}f} %", f"{exact[1]:.{decimals}f} %"


def bar(probability: float, threshold: float, *, called: bool) -> str:
    """HTML of a horizontal bar of the probability with a mark at the threshold."""
    value, mark = apart(probability, threshold)
    return (
        f'<div class="mc-bar" role="img" aria-label="{value}, threshold {mark}">'
        f'<div class="mc-fill{" mc-over" if called else ""}" style="width:{100 * probability:.2f}%"></div>'
        f'<div class="mc-mark" style="left:{100 * threshold:.2f}%"></div></div>'
    )


def tags(facts: Mapping[str, str]) -> str:
    """HTML of name and value pairs."""
    inside = " ".join(f"<span>{html.escape(name)} <b>{html.escape(value)}</b></span>" for name, value in facts.items())
    return f'<div class="mc-facts">{inside}</div>'
