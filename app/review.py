"""The page that ``medclassify review RUN`` starts; ``server.py`` serves it."""

import sys

import streamlit as st

from app import session
from app.arguments import Arguments, read_arguments
from app.header import PAGES, show_header
from app.keys import show_keys
from app.notices import icon, show_standing, show_style, show_warnings
from app.signin import sign_in
from app.text import plain
from medclassify.errors import MedclassifyError
from medclassify.records import Identity
from medclassify.review import Accounts, Desk, Queues


def main(arguments: Arguments) -> None:
    """Shows the page that the address names, to whom it may be shown."""
    st.set_page_config(page_title="Review · medclassify", page_icon=icon(), layout="wide")
    show_style()
    show_keys()
    if arguments.root is None:
        show_standing("")
        st.error("No run was named. Start this page with: medclassify review RUN")
        return
    show_standing(arguments.root.resolve().name)
    try:
        desk, queues, accounts = session.open_all(arguments)
        who = sign_in(accounts, arguments)
    except MedclassifyError as error:
        st.error(plain(str(error)))
        return
    session.keep_widgets()
    if who is not None:
        show_header(who, accounts)
        show_warnings(desk.run)
        try:
            _show_page(desk, queues, accounts, who)
        except MedclassifyError as error:
            st.error(plain(str(error)))
    session.settle_memory()


def _show_page(desk: Desk, queues: Queues, accounts: Accounts, who: Identity) -> None:
    page = session.current_page()
    if page not in PAGES or not PAGES[page][1] & who.roles:
        st.error(f"There is no page {plain(page)} for you. Choose one above.")
        return
    sample_id = session.current_sample()
    if page == "" and sample_id is not None:
        from app.case import show_case

        show_case(desk, who, sample_id, _listed(desk, queues, who, sample_id))
    elif page == "":
        from app.worklist import show_worklist

        show_worklist(desk, queues, who)
    elif page == "adjudication":
        from app.adjudication import show_adjudication

        show_adjudication(desk, who, sample_id)
    elif page == "people":
        from app.people import show_people

        show_people(desk, queues, accounts, who)
    elif page == "statistics":
        from app.reader_statistics import show_statistics

        show_statistics(desk, who)
    elif page == "audit":
        from app.audit import show_audit

        show_audit(desk.run, who)
    elif page == "monitoring":
        from app.monitoring import show_monitoring

        show_monitoring(desk, who)
    else:
        from app.export import show_export

        show_export(desk, who)


def _listed(desk: Desk, queues: Queues, who: Identity, sample_id: str) -> session.Listed:
    """What Next goes through; after a refresh or from a bookmark, the samples of the current one's split."""
    listed = session.listed()
    if listed is None:
        rows = queues.queue(who)
        split = rows.loc[rows["sample_id"] == sample_id, "split"]
        listed = session.Listed(desk.samples, rows.loc[rows["split"].isin(split.tolist()), "sample_id"].tolist())
        session.remember(listed)
    return listed


if __name__ == "__main__":
    main(read_arguments(sys.argv[1:]))
