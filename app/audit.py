"""The audit page: the run's own report."""

import streamlit as st

from app.header import blind
from medclassify.records import Identity
from medclassify.review import ReviewRun

_HEIGHT = 900


def show_audit(run: ReviewRun, who: Identity) -> None:
    """Shows ``audit/report.html``, to everybody but readers: it shows the model's answers on single cases."""
    if blind(who):
        st.info(
            "The report shows what the model answered on single samples, so it is not shown to readers, whose first read is "
            "blind. Auditors, adjudicators and admins see it here."
        )
        return
    try:
        report = run.layout.report.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        st.error(f"The report cannot be read ({type(error).__name__}). Make it with: medclassify audit RUN")
        return
    st.download_button("Download the report", report, file_name="report.html", mime="text/html")
    st.iframe(report, height=_HEIGHT)  # the style sheet lets it grow with the window
