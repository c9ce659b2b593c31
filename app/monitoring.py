"""The monitoring page: whether what is read, the model's scores, or readers' disagreement drift, by week and site."""

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
        st.line_chart(whole[["disagreement", "ci_low", "ci_high"]].astype(float), y_label="share")
    with right:
        st.markdown("**Shift of the model's scores** against all samples of the same splits")
        st.line_chart(whole[["score_psi", "score_psi_limit", "score_ks", "score_ks_limit"]].astype(float), y_label="distance")
    st.dataframe(rows, hide_index=True, placeholder="–")
    st.caption(
        "A limit is what 95 of 100 draws of that many samples stay below. Figures of fewer than 10 samples are blank. Where "
        "the least certain samples are read first, early weeks differ from the rest by that alone."
    )
