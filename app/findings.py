"""The findings of one sample: calibrated probability against threshold, what was called, and the reader's verdict so far."""

import html
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import session
from app.text import apart, bar, plain
from medclassify.records import ReviewItem
from medclassify.review import ReviewRun

_TARGETS = {1: "present", 0: "absent", -1: "uncertain"}


def show_findings(run: ReviewRun, items: tuple[ReviewItem, ...], chosen: str | None, verdicts: Mapping[str, str]) -> None:
    """Shows one row a finding; its button chooses it for verdict and overlay.

    Args:
        run: For doubts about a finding's probability, and for the reference label that the reader may ask for.
        items: The sample's items.
        chosen: The finding under judgement.
        verdicts: The reader's verdict by finding, where there is one.
    """
    labels = run.of_sample(items[0].sample_id)
    targets = dict(zip(labels["finding"], labels["target"], strict=True)) if session.target_shown() else {}
    with st.container(key="findings", gap="xsmall"):
        for item in items:
            _show_row(item, item.finding == chosen, verdicts.get(item.finding), targets, run.doubts.get(item.finding, ()))
    st.toggle("Show reference label", key=session.TARGET, help="Hidden until you ask, so that it does not lead your eye.")


def _show_row(
    item: ReviewItem, chosen: bool, verdict: str | None, targets: Mapping[str, object], doubts: tuple[str, ...]
) -> None:
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
    doubt = f'<span class="mc-called" title="{html.escape(" ".join(doubts))}">doubtful</span> ' if doubts else ""
    value, mark = apart(item.probability, item.threshold)
    probability.html(
        f'<div class="mc-line"><span><b>{value}</b> {call}</span>'
        f'<span>{doubt}<span class="mc-dim">threshold {mark}</span></span></div>'
        + bar(item.probability, item.threshold, called=item.decision)
    )
    lines = [f"<b>{verdict}</b>" if verdict else '<span class="mc-dim">not judged</span>']
    if item.finding in targets:
        lines.append(f'<span class="mc-dim">label: {_target_word(targets[item.finding])}</span>')
    said.html(f'<div class="mc-said">{"<br>".join(lines)}</div>')


def _target_word(target: object) -> str:
    return "not labelled" if pd.isna(target) else _TARGETS.get(int(float(str(target))), "uncertain")
