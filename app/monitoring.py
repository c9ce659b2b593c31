"""The monitoring page: whether what is read, the model's scores, or readers' disagreement drift, by week and site."""

import altair as alt
import pandas as pd
import streamlit as st

from app.header import blind
from medclassify.records import Identity
from medclassify.review import Desk, answers, drift


def show_monitoring(desk: Desk, who: Identity) -> None:
    """Shows drift of one finding by week and site."""
    if blind(who):
        st.caption("Of your own answers alone. Auditors, adjudicators and admins see all readers.")
    finding = st.selectbox("Finding", desk.run.findings, width=320)
    rows = drift(desk.run, answers(desk, who), finding)
    if rows.empty:
        st.info("Nothing has been read to the end yet: a week stands here once a second read of it is stored.")
        return
    beyond = rows[rows["drifted"].astype(bool)]
    for week, site in zip(beyond["week"], beyond["site"], strict=True):
        st.warning(f"Week {week}, site {site}: beyond what chance explains, in input or score.".replace("_", r"\_"))
    whole = rows[rows["site"] == "all"].set_index("week")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Readers' disagreement with the model** (share of answers that end unlike its call)")
        _show_course(whole, {"disagreement": "share", "ci_low": "lower limit (95 %)", "ci_high": "upper limit (95 %)"}, "share")
    with right:
        st.markdown("**Shift of the model's scores** against all samples of the same splits")
        _show_course(whole, _DISTANCES, "distance")
    st.dataframe(rows, hide_index=True, placeholder="–")
    st.caption(
        "A limit is what 95 of 100 draws of that many samples stay below. Figures of fewer than 10 samples are blank. Where "
        "the least certain samples are read first, early weeks differ from the rest by that alone."
    )


_DISTANCES = {"score_psi": "PSI", "score_psi_limit": "PSI by chance", "score_ks": "KS", "score_ks_limit": "KS by chance"}


def _show_course(whole: pd.DataFrame, names: dict[str, str], what: str) -> None:
    """Draws columns over the weeks, with a point for each: a single week has no line."""
    table = whole[list(names)].astype(float).rename(columns=names).reset_index()
    long = table.melt("week", var_name="of", value_name="value").dropna()
    colours = alt.Scale(domain=list(names.values()), range=_COLOURS[: len(names)])
    legend = alt.Legend(title=None, orient="bottom", columns=2)
    colour = alt.Color("of:N", scale=colours, legend=legend)
    chart = alt.Chart(long).mark_line(point=alt.OverlayMarkDef(size=60))
    st.altair_chart(chart.encode(x=alt.X("week:O", title="week"), y=alt.Y("value:Q", title=what), color=colour))


_COLOURS = ["#56b4e9", "#009e73", "#d55e00", "#cc79a7"]  # Okabe & Ito: apart for every common colour vision deficiency
