"""The page that ``medclassify review RUN`` starts: ``python -m streamlit run app/review.py -- RUN``."""

import sys
from pathlib import Path

import streamlit as st

from app import session
from app.case import show_case
from app.keys import show_keys
from app.notices import icon, show_standing, show_style, show_warnings
from app.text import plain
from app.worklist import show_worklist
from medclassify.errors import MedclassifyError


def main(arguments: list[str]) -> None:
    """Shows the worklist, or the sample that the address names."""
    st.set_page_config(page_title="Review · medclassify", page_icon=icon(), layout="wide")
    show_style()
    show_keys()
    if not arguments:
        show_standing("")
        st.error("No run was named. Start this page with: medclassify review RUN")
        return
    root = Path(arguments[0])
    show_standing(root.resolve().name)
    try:
        run = session.load_run(root, tuple(arguments[1:]))
        store = session.open_store(run.layout.reviews)
    except MedclassifyError as error:
        st.error(plain(str(error)))
        return
    session.keep_widgets()
    show_warnings(run)
    sample_id = session.current_sample()
    try:
        if sample_id is None:
            show_worklist(run, store)
        else:
            show_case(run, store, sample_id)
    except MedclassifyError as error:
        st.error(plain(str(error)))
    session.settle_memory()


if __name__ == "__main__":
    main(sys.argv[1:])
