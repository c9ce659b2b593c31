"""Who a patient is, where the site has turned that on; each time it is asked for, that is in the log."""

import streamlit as st

from app import session
from app.text import plain
from medclassify.errors import MedclassifyError
from medclassify.records import Identity
from medclassify.review import Desk


def show_patient(desk: Desk, who: Identity, sample_id: str) -> None:
    """Offers the patient's id as the original's header has it; draws nothing where the site has not turned it on."""
    if not desk.identity_allowed:
        return
    key = f"identity/{sample_id}"

    def ask() -> None:
        try:
            desk.show_identity(who, sample_id)
        except MedclassifyError as error:
            session.say("failed", str(error))
        else:
            st.session_state[key] = True

    if st.session_state.get(key):
        st.markdown(f"Patient ID: **{plain(_patient_id(desk, sample_id))}**")
    else:
        st.button("Show the patient's ID", help="The log notes who asked, and when.", on_click=ask)


def _patient_id(desk: Desk, sample_id: str) -> str:
    from medclassify.dicom import read_header  # a page without this button needs no header

    path, _ = desk.run.original(sample_id)
    try:
        return read_header(path).patient_key or "the file holds none"
    except MedclassifyError:
        return "the original cannot be read"  # its message would name the path
