"""The statistics page: how readers agree, how they and the model do, and how the model moves them."""

import pandas as pd
import streamlit as st

from app.header import blind
from app.text import plain
from medclassify.records import Identity
from medclassify.review import (
    AUTOMATION,
    Desk,
    StudyResult,
    agreement,
    answers,
    automation,
    override_log,
    performance,
    reader_studies,
)

_ANY = "none"
_VIEWS = ("Performance", "Agreement", "Influence of the model", "Reader study", "Overrides")


def show_statistics(desk: Desk, who: Identity) -> None:
    """Shows one kind of statistics at a time; a reader's are of the own answers alone."""
    table = answers(desk, who)
    if blind(who):
        st.caption("Of your own answers alone. Auditors, adjudicators and admins see all readers.")
    if table.empty:
        st.info("Nothing has been read yet: figures come with the first locked read.")
        return
    view = st.segmented_control("Statistics", _VIEWS, default=_VIEWS[0], required=True, label_visibility="collapsed")
    finding, by = _choose(desk)
    part = table if finding == _ANY else table[table["finding"] == finding]
    if view == "Performance":
        st.caption(
            "Sensitivity and specificity of each reader alone, of the model, and of the reader with the model, on the same "
            "samples: those finished and with a reference label. “Unsure” counts as a call of the finding."
        )
        show_estimates(performance(part, by=by), "No finished sample has a reference label.")
    elif view == "Agreement":
        _show_agreement(part, by)
    elif view == "Influence of the model":
        st.caption(" · ".join(f"**{name}**: {words}" for name, words in AUTOMATION.items()).replace("_", r"\_"))
        show_estimates(automation(part, by=by), "No sample has been finished.")
    elif view == "Reader study":
        _show_studies(reader_studies(part))
    else:
        log = override_log(part)
        st.caption(f"{len(log):,} second reads that do not follow the model's call, or add to it.")
        st.dataframe(log, hide_index=True, placeholder="")


def _choose(desk: Desk) -> tuple[str, str | None]:
    left, right, _ = st.columns([1, 1, 2])
    finding = left.selectbox("Finding", [_ANY, *desk.run.findings], format_func=lambda name: "all" if name == _ANY else name)
    by = right.selectbox("By subgroups of", [_ANY, *desk.run.attributes])
    return finding, None if by == _ANY else by


def _show_agreement(table: pd.DataFrame, by: str | None) -> None:
    stage = st.segmented_control(
        "Of",
        ["first", "final"],
        default="first",
        required=True,
        format_func={
            "first": "the blind first reads",
            "final": "the second reads, which the model has made more alike",
        }.__getitem__,
    )
    show_estimates(agreement(table, stage=stage, by=by), "Agreement needs two readers of the same samples.")


def _show_studies(studies: tuple[StudyResult, ...]) -> None:
    st.caption(
        "Obuchowski and Rockette with Hillis's degrees of freedom: AUROC of the readers' scores alone and with the model; "
        "readers and cases are both taken for samples. Only cases that all readers of a finding have finished count."
    )
    for result in studies:
        if result.study is None:
            st.markdown(f"**{plain(result.finding)}**: not estimable. {plain(result.note)}")
            continue
        alone, aided, gain = (
            estimate_text(e.value, e.ci_low, e.ci_high) for e in (*result.study.means, result.study.difference)
        )
        st.markdown(
            f"**{plain(result.finding)}**, {len(result.readers)} readers, {result.n} cases ({result.n_pos} with it): "
            f"alone {alone}, with the model {aided}, difference {gain}, F(1, {result.study.df:.1f}) = {result.study.f:.2f}, "
            f"p = {result.study.p:.3f}"
        )


def show_estimates(frame: pd.DataFrame, nothing: str) -> None:
    """Shows rows that hold an estimate, with its interval, or why there is none."""
    if frame.empty:
        st.info(nothing)
        return
    values = frame[["value", "ci_low", "ci_high"]].astype(float)
    text = [estimate_text(*row) for row in values.itertuples(index=False)]
    whole = "subgroup" in frame and (frame["subgroup"] == "all").all()
    spare = ["value", "ci_low", "ci_high", "ci_method", "status", "note", *(["subgroup"] if whole else [])]
    kept = frame.drop(columns=spare)
    st.dataframe(
        kept.assign(estimate=text, interval=frame["ci_method"], status=frame["status"].astype(str), note=frame["note"]),
        hide_index=True,
        height=min(38 + 35 * len(frame), 620),
    )


def estimate_text(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval, or a dash."""
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.3f}" if low is None or pd.isna(low) else f"{value:.3f} ({low:.3f}–{high:.3f})"
