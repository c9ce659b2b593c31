"""The findings of one sample: calibrated probability against threshold, what was called, and the reader's verdict so far."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import session
from app.text import bar, percent, plain
from medclassify.records import ReviewItem

_TARGETS = {1: "present", 0: "absent", -1: "uncertain"}


def show_findings(
    items: tuple[ReviewItem, ...], chosen: str | None, verdicts: Mapping[str, str], predictions: pd.DataFrame
) -> None:
    """Shows one row a finding; its button chooses it for verdict and overlay.

    Args:
        items: The sample's items.
        chosen: The finding under judgement.
        verdicts: The reader's verdict by finding, where there is one.
        predictions: The sample's rows, for the reference label that the reader may ask for.
    """
    targets = dict(zip(predictions["finding"], predictions["target"], strict=True)) if session.target_shown() else {}
    with st.container(key="findings", gap="xsmall"):
        for item in items:
            _show_row(item, item.finding == chosen, verdicts.get(item.finding), targets)
    st.toggle("Show reference label", key=session.TARGET, help="Hidden until you ask, so that it does not lead your eye.")


def _show_row(item: ReviewItem, chosen: bool, verdict: str | None, targets: Mapping[str, object]) -> None:
    name, probability, said = st.columns([1.25, 2, 0.8], vertical_alignment="center", gap="small")
    name.button(
        plain(item.finding),
        key=f"choose/{item.sample_id}/{item.finding}",
        type="primary" if chosen else "secondary",
        width="stretch",
        on_click=session.choose_finding,
        args=(item.finding,),
    )
    call = '<span class="mc-called">POSITIVE</span>' if item.decision else '<span class="mc-dim">negative</span>'
    probability.html(
        f'<div class="mc-line"><span><b>{percent(item.probability)}</b> {call}</span>'
        f'<span class="mc-dim">threshold {percent(item.threshold)}</span></div>'
        + bar(item.probability, item.threshold, called=item.decision)
    )
    lines = [f"<b>{verdict}</b>" if verdict else '<span class="mc-dim">not judged</span>']
    if item.finding in targets:
        lines.append(f'<span class="mc-dim">label: {_target_word(targets[item.finding])}</span>')
    said.html(f'<div class="mc-said">{"<br>".join(lines)}</div>')


def _target_word(target: object) -> str:
    return "not labelled" if pd.isna(target) else _TARGETS.get(int(float(str(target))), "uncertain")
