"""Training cases that the network holds for similar, the nearest with another label, and typical ones; after the reveal."""

import pandas as pd
import streamlit as st

from app import session
from app.text import plain
from app.viewer import show_viewer
from medclassify.errors import MedclassifyError
from medclassify.review import ReviewRun

_KINDS = {
    "similar": "Similar case",
    "counter": "Nearest with the other label",
    "prototype": "Typical positive",
}


def show_similar(run: ReviewRun, sample_id: str, finding: str | None) -> None:
    """Shows what the run has stored for a sample; one image at a time, beside its labels."""
    try:
        found = _neighbours(run, sample_id)
    except MedclassifyError as error:
        st.error(plain(str(error)))
        return
    found = found[(found["kind"] == "similar") | (found["finding"] == finding)]
    if found.empty:
        st.caption("This run has stored no similar cases of this sample.")
        return
    with st.expander(f"Similar training cases ({len(found)})"):
        st.caption("Alike to the network, which need not mean alike to you.")
        names = [_name(row) for _, row in found.iterrows()]
        chosen = st.selectbox("Case", range(len(names)), format_func=names.__getitem__, index=None, key=f"similar/{sample_id}")
        if chosen is None:
            return
        session.was_shown(sample_id, "similar")
        neighbour = str(found.iloc[chosen]["neighbour_id"])
        if neighbour not in run.images.index:
            st.caption("Its image is not in this run's manifest.")
            return
        show_viewer(run, neighbour, height="22rem", title=names[chosen])


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs={ReviewRun: id})
def _neighbours(run: ReviewRun, sample_id: str) -> pd.DataFrame:
    return run.explanations.neighbours(sample_id)


def _name(row: pd.Series) -> str:
    labels = str(row["labels"]) if row["labels"] else "no finding labelled present"
    distance = "" if pd.isna(row["distance"]) else f" · distance {float(row['distance']):.2f}"
    return f"{_KINDS.get(row['kind'], row['kind'])} {int(row['rank'])} · {labels}{distance}"
