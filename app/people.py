"""The admin's page: who reads what, and the accounts."""

import streamlit as st

from app import session
from app.text import plain
from app.worklist import choose_samples
from medclassify.errors import MedclassifyError
from medclassify.records import Identity, Role
from medclassify.review import MIN_PASSWORD, Accounts, Desk, Queues, share_out


def show_people(desk: Desk, queues: Queues, accounts: Accounts, who: Identity) -> None:
    """Shows assignments and accounts."""
    session.show_message()
    assign, people = st.tabs(["Assignments", "Accounts"])
    with assign:
        _show_assignments(desk, queues, accounts, who)
    with people:
        _show_accounts(accounts, who)


def _show_assignments(desk: Desk, queues: Queues, accounts: Accounts, who: Identity) -> None:
    st.subheader("Assign samples", anchor=False)
    st.caption("Once any sample is assigned, a reader's worklist holds what is assigned to that reader, and nothing else.")
    _, order, attribute, chosen = choose_samples(desk.run, who)
    rows = queues.queue(who, order=order, chosen=chosen, attribute=attribute)
    table = accounts.table()
    known = table.loc[table["roles"].str.contains(Role.READER.value), "name"].tolist() if len(table) else []
    readers = st.multiselect("Readers", known, accept_new_options=not known, placeholder="Names of readers")
    left, middle, right = st.columns(3)
    most = left.number_input("How many samples, in this order", 1, max(1, len(rows)), min(100, max(1, len(rows))))
    each = middle.number_input("Readers a sample (2: double reading)", 1, max(1, len(readers)), min(2, max(1, len(readers))))
    priority = right.number_input("Priority (the higher, the sooner)", -1000, 1000, 0)
    st.button(
        f"Assign {min(int(most), len(rows)):,} samples",
        type="primary",
        disabled=not readers or rows.empty,
        on_click=_assign,
        args=(desk, who, rows["sample_id"].head(int(most)).tolist(), readers, int(each), int(priority)),
    )


def _assign(desk: Desk, who: Identity, samples: list[str], readers: list[str], each: int, priority: int) -> None:
    try:
        for names, shared in share_out(samples, readers, per_sample=each).items():
            desk.assign(who, shared, names, priority=priority)
    except MedclassifyError as error:
        session.say("failed", str(error))
        return
    session.say("stored", f"Assigned {len(samples):,} samples, {each} readers each.")


def _show_accounts(accounts: Accounts, who: Identity) -> None:
    st.subheader("Accounts", anchor=False)
    table = accounts.table()
    if table.empty:
        st.info(
            "There are no accounts: whoever reaches this page types a name. The first account ends that; make an admin first."
        )
    else:
        st.dataframe(table, hide_index=True)
    with st.form("account", clear_on_submit=True):
        name = st.text_input("Name", max_chars=200)
        roles = st.multiselect("Roles", [role.value for role in Role], default=[Role.READER.value])
        password = st.text_input(f"Password, {MIN_PASSWORD} characters or more", type="password")
        oidc = st.text_input("or the identity at your provider (verified e-mail or sub)")
        if st.form_submit_button("Add the account"):
            _add(accounts, who, name, roles, password, oidc)
    for name, disabled in zip(table["name"], table["disabled"], strict=True):
        if name != who.name:
            st.button(
                f"{'Open' if disabled else 'Close'} {plain(name)}",
                key=f"close/{name}",
                on_click=_close,
                args=(accounts, who, name, not disabled),
            )


def _add(accounts: Accounts, who: Identity, name: str, roles: list[str], password: str, oidc: str) -> None:
    try:
        accounts.add(name.strip(), [Role(role) for role in roles], password=password, oidc=oidc.strip(), by=who)
    except MedclassifyError as error:
        st.error(plain(str(error)))
        return
    session.say("stored", f"Added: {name.strip()}")
    st.rerun()


def _close(accounts: Accounts, who: Identity, name: str, disabled: bool) -> None:
    try:
        accounts.set_disabled(name, disabled, by=who)
    except MedclassifyError as error:
        session.say("failed", str(error))
