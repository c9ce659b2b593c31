"""Who is at the page: an account, or where there are none, a name that nobody checks."""

import re
from typing import Any

import streamlit as st
from streamlit.components import v2
from streamlit.errors import StreamlitAuthError

from app import session
from app.arguments import Arguments
from app.text import plain
from app.tickets import drop_tickets
from medclassify.errors import MedclassifyError
from medclassify.records import Identity, Role
from medclassify.review import MAX_READER, Accounts, named_reader

# The token survives a refresh in a cookie of this browser alone; it is never in the address. Without a sign of life for the
# time that a session lasts, the page loads itself anew, so that no image stays on an unattended screen.
_KEEPER = v2.component(
    "medclassify.keeper",
    js="""
export default function ({ data }) {
  if (data.cookie !== undefined) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    const age = data.cookie ? "" : "; Max-Age=0";
    document.cookie = `${data.name}=${data.cookie}; Path=/; SameSite=Strict${secure}${age}`;
  }
  clearTimeout(window.mcIdle);
  const wait = () => {
    clearTimeout(window.mcIdle);
    if (data.idle) window.mcIdle = setTimeout(() => location.reload(), 1000 * data.idle);
  };
  for (const kind of ["pointermove", "keydown"]) {
    if (window.mcWait) document.removeEventListener(kind, window.mcWait, true);
    document.addEventListener(kind, wait, true);
  }
  window.mcWait = wait;
  wait();
}
""",
)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


def sign_in(accounts: Accounts, arguments: Arguments) -> Identity | None:
    """Who is at the page; None, with the way in on the page, where nobody is known."""
    if not accounts.required:
        return _named()
    cookie = session.own_key("medclassify", arguments.root) if arguments.root else ""
    who, refused = _resumed(accounts, cookie), ""
    if who is None:
        who, refused = _by_provider(accounts)
    if who is not None:
        _keep(cookie, st.session_state["token"], idle=arguments.idle.total_seconds() + 5)
        return who
    here, kept = st.session_state.pop("token", None), _cookie(cookie)
    if here:
        st.session_state["ended"] = True
    left = st.session_state.get("left")
    told = "You were signed out after a time without use. What you stored, and what you typed, is kept."
    _ask_password(accounts, told=told if (here or kept) and not left else "", refused=refused)
    if here or kept:
        _keep(cookie, "", idle=0)
    return None


def show_identity(who: Identity, accounts: Accounts) -> None:
    """Shows who is at the page and how to leave."""
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="xsmall"):
        roles = ", ".join(sorted(who.roles))
        name = who.name if len(who.name) <= 30 else f"{who.name[:29]}…"
        st.markdown(f"**{plain(name)}** · {roles}", width="content")
        st.button("Sign out", width="content", on_click=_leave, args=(who, accounts))


def _named() -> Identity | None:
    name, role = st.query_params.get("reader", "").strip()[:MAX_READER], st.query_params.get("role", Role.READER.value)
    if name and role in list(Role):
        try:
            return named_reader(name, Role(role))
        except MedclassifyError as error:
            st.error(plain(str(error)))
    with _way_in():
        st.subheader("Who is reading?", anchor=False)
        st.text_input("Name or initials", key="ask_reader", max_chars=MAX_READER, on_change=_said)
        st.selectbox("Role", [item.value for item in Role], key="ask_role")
        st.button("Begin", type="primary", on_click=_said)
        st.caption("There are no accounts, so nobody checks the name. What you store is kept under it.")
    return None


def _said() -> None:
    name = st.session_state["ask_reader"].strip()
    if name:
        st.query_params["reader"] = name
        if st.session_state["ask_role"] != Role.READER:
            st.query_params["role"] = st.session_state["ask_role"]


def _resumed(accounts: Accounts, cookie: str) -> Identity | None:
    token = st.session_state.get("token") or _cookie(cookie)
    if not _TOKEN.fullmatch(token):
        return None
    who = accounts.resume(token)
    if who is not None:
        st.session_state["token"] = token
    return who


def _cookie(name: str) -> str:
    value = st.context.cookies.get(name)
    return value if isinstance(value, str) else ""


def _by_provider(accounts: Accounts) -> tuple[Identity | None, str]:
    """Whom the provider has named, or why that does not count."""
    over = any(name in st.session_state for name in ("token", "ended", "left"))  # signed out, and not signed in again since
    if over or not _provider() or not st.user.get("is_logged_in"):
        return None, ""
    try:
        who, st.session_state["token"] = accounts.sign_in_oidc(dict(st.user.to_dict()))
    except MedclassifyError as error:
        return None, str(error)
    return who, ""


def _ask_password(accounts: Accounts, *, told: str, refused: str) -> None:
    with _way_in():
        st.subheader("Sign in", anchor=False)
        session.show_message()
        if told:
            st.info(told)
        elif refused:
            st.error(plain(refused), icon=":material/block:")
        with st.form("sign_in", border=False):
            name = st.text_input("Name", max_chars=MAX_READER)
            password = st.text_input("Password", type="password")
            if st.form_submit_button("Sign in", type="primary"):
                _try(accounts, name, password)
        if _provider():
            st.button("Sign in with your organisation", on_click=_go_to_provider)
        if refused:
            st.button("Sign out of your organisation", on_click=st.logout, help="To come back as somebody else.")


def _go_to_provider() -> None:
    try:
        st.login()
    except StreamlitAuthError as error:
        reason = str(error).strip().splitlines()[0]
        session.say("failed", f"Signing in with your organisation is not set up: {reason} See docs/review-administration.md.")


def _try(accounts: Accounts, name: str, password: str) -> None:
    try:
        _, token = accounts.sign_in(name.strip(), password)
    except MedclassifyError as error:
        st.error(plain(str(error)))
        return
    st.session_state["token"] = token
    for name in ("left", "ended"):
        st.session_state.pop(name, None)
    st.rerun()


def _leave(who: Identity, accounts: Accounts) -> None:
    for name in ("reader", "role", "sample", "page"):
        st.query_params.pop(name, None)
    if token := st.session_state.get("token"):
        accounts.sign_out(token)
    drop_tickets()
    for key in list(st.session_state):
        del st.session_state[key]  # the next person at this screen inherits nothing
    st.session_state["left"] = True
    if who.method == "oidc":
        st.logout()


def _keep(name: str, token: str, *, idle: float) -> None:
    with st.container(key=f"{session.HIDDEN}keeper"):
        _KEEPER(key="keeper", data={"name": name, "cookie": token, "idle": idle})


def _way_in() -> Any:
    _, middle, _ = st.columns([1, 1.2, 1])
    return middle.container(border=True)


def _provider() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:  # Streamlit's own, where there is no secrets.toml
        return False
