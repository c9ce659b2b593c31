"""The line above every page: where one can go, and who is here."""

import streamlit as st

from app import session
from app.signin import show_identity
from medclassify.records import Identity, Role
from medclassify.review import Accounts

PAGES: dict[str, tuple[str, frozenset[Role]]] = {
    "": ("Worklist", frozenset(Role)),
    "adjudication": ("Adjudication", frozenset({Role.ADJUDICATOR})),
    "statistics": ("Statistics", frozenset(Role)),
    "audit": ("Audit", frozenset(Role)),
    "monitoring": ("Monitoring", frozenset(Role)),
    "export": ("Export", frozenset({Role.AUDITOR, Role.ADMIN})),
    "people": ("People", frozenset({Role.ADMIN})),
}
"""Address to name, and the roles that see it."""


def show_header(who: Identity, accounts: Accounts) -> None:
    """Shows the pages that somebody may open, and who it is."""
    pages, person = st.columns([3, 2], vertical_alignment="center")
    with pages, st.container(horizontal=True, gap="xsmall", key="pages"):
        for address, (name, roles) in PAGES.items():
            if roles & who.roles:
                here = session.current_page() == address
                st.button(
                    name,
                    key=f"page/{address}",
                    type="primary" if here else "tertiary",
                    width="content",
                    on_click=session.go_to,
                    args=(address,),
                )
    with person:
        show_identity(who, accounts)


def blind(who: Identity) -> bool:
    """Whether somebody reads, so that a page must not tell of the model's answers on single samples."""
    return Role.READER in who.roles
