"""Cases of the training split that the model holds for similar, where a run has stored them."""

import streamlit as st

from medclassify.review import ReviewRun


def show_similar(run: ReviewRun, sample_id: str, finding: str | None) -> None:
    """Shows nothing yet: runs store no similar cases."""
    del run, sample_id, finding
    st.caption("This run has stored no similar cases.")
