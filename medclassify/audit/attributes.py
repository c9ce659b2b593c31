"""Attribute columns to subgroups: bands for ages, quarters for other numbers, blanks as a group of their own."""

import re
from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
import pandas as pd

from medclassify.manifest.attributes import age_band, normalise_age

MISSING = "missing"
MAX_LEVELS = 12
_AGES = {"age", "age_years", "patient_age"}
_OTHER = "other"
_AND = ", "


def subgroup_levels(column: pd.Series, name: str, notes: list[str]) -> tuple[pd.Series, tuple[str, ...]]:
    """Names the subgroup of every row.

    Args:
        column: The attribute as given, length N.
        name: The attribute's name; ``age`` in years becomes bands.
        notes: Gets a line for every regrouping.

    Returns:
        Text of length N without blanks, and the levels in reading order, ``missing`` last.
    """
    text = column.astype("string").str.strip()
    given = text.notna() & (text.fillna("") != "")
    numbers = pd.to_numeric(text, errors="coerce")
    all_numeric = bool(given.any()) and bool(numbers[given].notna().all())
    years, said = normalise_age(text.where(given)) if name.lower() in _AGES else (pd.Series(dtype=float), [])
    if years[given[: len(years)]].notna().mean() > 0.5:
        text = age_band(years)
        notes += [f"{name} was put into bands of years.", *said]
    elif all_numeric and numbers[given].nunique() > MAX_LEVELS:
        text = _quarters(numbers)
        notes.append(f"{name} is a number with many values and was cut into quarters.")
    elif all_numeric:
        text = numbers.map(lambda value: f"{value:g}" if pd.notna(value) else MISSING)
    text = text.astype("string").where(given, MISSING).fillna(MISSING).replace("", MISSING)
    text = _largest_levels(text, name, notes)
    return text.astype(object), _ordered(text, column)


def crossed_levels(columns: Sequence[pd.Series], levels: Sequence[Sequence[str]]) -> tuple[pd.Series, tuple[str, ...]]:
    """Names the crossed subgroup of every row: ``F, 18-39``.

    Args:
        columns: Subgroups by one attribute each, text of length N.
        levels: Their levels, in reading order.

    Returns:
        Text of length N, and those levels that occur, in the order of the first attribute, then of the second.
    """
    text = columns[0].str.cat(list(columns[1:]), sep=_AND)
    present = set(text)
    return text.astype(object), tuple(name for name in map(_AND.join, product(*levels)) if name in present)


def complete(level: str) -> bool:
    """A subgroup in which nothing is missing, for crossed ones in neither part."""
    return MISSING not in level.split(_AND)


def natural_key(text: str) -> tuple[tuple[int, float | str], ...]:
    """A key that sorts the numbers inside names as numbers: ``site 2`` before ``site 10``, ``0–17`` before ``18–39``."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, float(part)) if part.isdecimal() else (1, part.casefold()) for part in parts)


def _quarters(numbers: pd.Series) -> pd.Series:
    cuts = np.unique(np.nanquantile(numbers.to_numpy(dtype=np.float64, na_value=np.nan), [0.25, 0.5, 0.75]))
    bounds = [-np.inf, *cuts, np.inf]
    labels = [f"≤ {cuts[0]:.3g}", *(f"> {a:.3g} to {b:.3g}" for a, b in pairwise(cuts)), f"> {cuts[-1]:.3g}"]
    return pd.cut(numbers, bounds, labels=labels).astype("string")


def _largest_levels(text: pd.Series, name: str, notes: list[str]) -> pd.Series:
    sizes = text[text != MISSING].value_counts()
    if len(sizes) <= MAX_LEVELS:
        return text
    kept = set(sizes.index[: MAX_LEVELS - 1])
    notes.append(f"{name} has {len(sizes)} values; the {len(sizes) - len(kept)} smallest stand together as “{_OTHER}”.")
    return text.where(text.isin(kept) | (text == MISSING), _OTHER)


def _ordered(text: pd.Series, column: pd.Series) -> tuple[str, ...]:
    present = set(text)
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        order = [str(level) for level in column.cat.categories if str(level) in present]
    else:
        order = []
    rest = sorted(present - set(order) - {MISSING, _OTHER}, key=natural_key)
    # "≤ 4" is the first quarter, whatever its sign sorts to.
    rest.sort(key=lambda level: not level.startswith("≤"))
    return (*order, *rest, *(level for level in (_OTHER, MISSING) if level in present and level not in order))
