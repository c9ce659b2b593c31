"""What is known against the model for this very case: subgroups it was not judged in, and answers that should be doubted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.text import plain
from medclassify.review import MISSING, ReviewRun

_MIX = "_standardised"
"""Suffix of metrics in a common case mix; where the plain one is named, they are not named again."""
_NEEDED = ("finding", "attribute", "subgroup", "metric", "verdict")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run's audit leaves open.

    Attributes:
        gaps: Rows of ``gaps.csv`` with a verdict; None where the run has none.
        why: Why there are none, or "".
    """

    gaps: pd.DataFrame | None
    why: str = ""


@st.cache_resource(max_entries=2, hash_funcs={ReviewRun: id}, show_spinner=False)
def read_limits(run: ReviewRun) -> Limits:
    """Reads ``audit/gaps.csv`` of a run."""
    path = run.layout.audit / "gaps.csv"
    try:
        gaps = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError):
        return Limits(None, "This run has no audit (audit/gaps.csv), so nothing is known of how it does in subgroups.")
    missing = [name for name in _NEEDED if name not in gaps]
    if missing:
        return Limits(None, f"audit/gaps.csv has no column {', '.join(missing)}, so nothing of it is shown here.")
    return Limits(gaps[gaps["verdict"].isin(["INSUFFICIENT", "FAIL"])])


def limits_of(limits: Limits, attributes: Mapping[str, str], finding: str) -> list[str]:
    """Lines about one finding in the subgroups that this patient belongs to."""
    if limits.gaps is None:
        return []
    about = limits.gaps[limits.gaps["finding"] == finding]
    lines = []
    for attribute, subgroup in _groups(attributes, about["attribute"].unique().tolist()).items():
        rows = about[(about["attribute"] == attribute) & (about["subgroup"] == subgroup)]
        for verdict, words in (("FAIL", "is worse than in the reference group"), ("INSUFFICIENT", "could not be judged")):
            found = list(dict.fromkeys(rows.loc[rows["verdict"] == verdict, "metric"]))
            metrics = [name for name in found if not (name.endswith(_MIX) and name.removesuffix(_MIX) in found)]
            if metrics:
                lines.append(f"{attribute} {subgroup}: {', '.join(metrics)} {words} ({verdict})")
    return lines


def _groups(attributes: Mapping[str, str], audited: Sequence[str]) -> dict[str, str]:
    """The patient's subgroup by audited attribute; a pair ``sex*age_band`` has levels ``F, 40–59``."""
    groups = {}
    for name in audited:
        levels = [attributes.get(part, MISSING) for part in name.split("*")]
        groups[name] = ", ".join(levels)
    return groups


def show_limits(run: ReviewRun, attributes: Mapping[str, str], findings: Sequence[str], chosen: str | None) -> None:
    """Shows the limits on the case: those of the chosen finding at once, the others behind a click."""
    limits = read_limits(run)
    if limits.gaps is None:
        st.caption(f":material/warning: {plain(limits.why)}")
        return
    lines = {finding: limits_of(limits, attributes, finding) for finding in findings}
    if chosen:
        for doubt in (*run.doubts.get(chosen, ()), *(f"{chosen} · {line}" for line in lines[chosen])):
            st.caption(f":material/warning: {plain(doubt)}")
    others = {name: found for name, found in lines.items() if found and name != chosen}
    if others:
        with st.expander(f"Limits in this patient's subgroups: {len(others)} other findings"):
            for name, found in others.items():
                for line in found:
                    st.caption(f"{plain(name)} · {plain(line)}")
    if not any(lines.values()):
        st.caption("The audit leaves nothing open for this patient's subgroups.")
