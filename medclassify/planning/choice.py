"""A choice and its reason."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One key of the config.

    Attributes:
        key: Dotted, e.g. ``data.batch_size``.
        value: What YAML holds: a number, text, list, mapping or None.
        reason: Why, with the numbers seen.
    """

    key: str
    value: Any
    reason: str
