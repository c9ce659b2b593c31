"""Words and numbers from elsewhere, made harmless: finding names, ids, comments and errors are shown as the text they are."""

import html
import re
from collections.abc import Mapping

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&^=@/])")


def plain(text: str) -> str:
    """Text for a place where Streamlit reads Markdown, escaped so that it is shown as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def percent(share: float) -> str:
    """A share in per cent with one decimal, so that a probability just below its threshold does not look equal to it."""
    return f"{100 * share:.1f} %"


def bar(probability: float, threshold: float, *, called: bool) -> str:
    """HTML of a horizontal bar of the probability with a mark at the threshold."""
    return (
        f'<div class="mc-bar" role="img" aria-label="{percent(probability)}, threshold {percent(threshold)}">'
        f'<div class="mc-fill{" mc-over" if called else ""}" style="width:{100 * probability:.2f}%"></div>'
        f'<div class="mc-mark" style="left:{100 * threshold:.2f}%"></div></div>'
    )


def tags(facts: Mapping[str, str]) -> str:
    """HTML of name and value pairs."""
    inside = " ".join(f"<span>{html.escape(name)} <b>{html.escape(value)}</b></span>" for name, value in facts.items())
    return f'<div class="mc-facts">{inside}</div>'
