import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from medclassify.errors import NotAllowedError, ReviewError
from medclassify.records import Identity, Role
from medclassify.review import Accounts, ReviewStore, named_reader
from medclassify.review.tables import ACCOUNTS, SESSIONS

PASSWORD = "correct horse battery"
ADMIN = Identity("boss", frozenset({Role.ADMIN}), "password")


@pytest.fixture
def accounts(store: ReviewStore) -> Accounts:
    return Accounts(store)


@pytest.fixture
def ida(accounts: Accounts) -> Accounts:
    accounts.add("ida", [Role.READER], password=PASSWORD)
    return accounts


def change(store: ReviewStore, statement: sa.Executable) -> None:
    with store.writing() as writer:
        writer.connection.execute(statement)


def test_accounts_are_needed_once_there_is_one(accounts: Accounts) -> None:
    assert not accounts.required
    accounts.add("ida", [Role.READER], password=PASSWORD)
    assert accounts.required


def test_a_password_signs_in_and_a_token_goes_on(ida: Accounts, store: ReviewStore) -> None:
    who, token = ida.sign_in("ida", PASSWORD)
    assert who == Identity("ida", frozenset({Role.READER}), "password")
    assert ida.resume(token) == who
    ida.sign_out(token)
    assert ida.resume(token) is None
    assert ida.resume("") is None
    assert [event.kind for event in store.events()] == ["account_added", "signed_in"]


def test_neither_password_nor_token_is_stored(ida: Accounts, store: ReviewStore) -> None:
    _, token = ida.sign_in("ida", PASSWORD)
    with store.reading() as connection:
        held = str(connection.execute(sa.select(ACCOUNTS)).all()) + str(connection.execute(sa.select(SESSIONS)).all())
    assert PASSWORD not in held
    assert token not in held
    assert "$argon2id$" in held
    assert "argon2" not in str(ida.table().to_dict()) + str(store.events())


@pytest.mark.parametrize(("name", "password"), [("ida", "wrong horse battery"), ("nobody", PASSWORD), ("ida", ""), ("eve", "")])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(ida: Accounts, name: str, password: str) -> None:
    ida.add("eve", [Role.READER], oidc="eve@hospital.example")
    with pytest.raises(NotAllowedError, match=r"^The name or the password is wrong, or the account is locked"):
        ida.sign_in(name, password)


def test_five_failures_lock_the_account_for_a_while(ida: Accounts, store: ReviewStore) -> None:
    for _ in range(5):
        with pytest.raises(NotAllowedError):
            ida.sign_in("ida", "wrong")
    with pytest.raises(NotAllowedError):
        ida.sign_in("ida", PASSWORD)
    assert [event.kind for event in store.events()] == ["account_added", "account_locked"]
    change(store, ACCOUNTS.update().values(locked_until=(datetime.now(UTC) - timedelta(seconds=1)).isoformat()))
    assert ida.sign_in("ida", PASSWORD)[0].name == "ida"


def test_failures_before_a_success_are_forgotten(ida: Accounts) -> None:
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(NotAllowedError):
                ida.sign_in("ida", "wrong")
        ida.sign_in("ida", PASSWORD)


def test_a_session_ends_when_nobody_uses_it(ida: Accounts, store: ReviewStore) -> None:
    _, token = ida.sign_in("ida", PASSWORD)
    change(store, SESSIONS.update().values(seen_at=(datetime.now(UTC) - timedelta(minutes=29)).isoformat()))
    assert ida.resume(token) is not None  # and counts as used from now on
    assert ida.resume(token) is not None
    change(store, SESSIONS.update().values(seen_at=(datetime.now(UTC) - timedelta(minutes=31)).isoformat()))
    assert ida.resume(token) is None
    with store.reading() as connection:
        assert connection.execute(sa.select(SESSIONS)).all() == []


def test_a_closed_account_is_out_at_once_and_can_be_opened_again(ida: Accounts) -> None:
    _, token = ida.sign_in("ida", PASSWORD)
    ida.set_disabled("ida", True, by=ADMIN)
    assert ida.resume(token) is None
    with pytest.raises(NotAllowedError):
        ida.sign_in("ida", PASSWORD)
    ida.set_disabled("ida", False, by=ADMIN)
    assert ida.sign_in("ida", PASSWORD)[0].name == "ida"


def test_a_new_password_ends_old_sessions(ida: Accounts) -> None:
    who, token = ida.sign_in("ida", PASSWORD)
    ida.set_password("ida", "another long password", by=who)  # one's own
    assert ida.resume(token) is None
    with pytest.raises(NotAllowedError):
        ida.sign_in("ida", PASSWORD)
    assert ida.sign_in("ida", "another long password")[0] == who


def test_roles_are_what_the_account_has_now(ida: Accounts) -> None:
    _, token = ida.sign_in("ida", PASSWORD)
    ida.set_roles("ida", [Role.AUDITOR, Role.ADMIN], by=ADMIN)
    who = ida.resume(token)
    assert who is not None
    assert who.roles == {Role.AUDITOR, Role.ADMIN}
    assert ida.table().to_dict("records") == [{"name": "ida", "roles": "admin,auditor", "oidc": "", "disabled": False}]


def test_an_oidc_identity_is_its_account(accounts: Accounts) -> None:
    accounts.add("Dr Eve", [Role.ADJUDICATOR], oidc="eve@hospital.example")
    accounts.add("Dr Sub", [Role.READER], oidc="subject-7")
    who, token = accounts.sign_in_oidc(now(sub="x", email="eve@hospital.example", email_verified=True))
    assert who == Identity("Dr Eve", frozenset({Role.ADJUDICATOR}), "oidc")
    assert accounts.resume(token) == who
    assert accounts.sign_in_oidc(now(sub="subject-7"))[0].name == "Dr Sub"


def now(**claims: object) -> dict:
    """Claims of a token that was issued just now."""
    return {"iat": int(time.time()), **claims}


@pytest.mark.parametrize("ago", [29, 31, None])
def test_a_token_counts_no_longer_than_a_session_lasts(accounts: Accounts, ago: int | None) -> None:
    accounts.add("Dr Sub", [Role.READER], oidc="subject-7")
    claims = {"sub": "subject-7"} if ago is None else {"sub": "subject-7", "iat": int(time.time()) - 60 * ago}
    if ago == 29:
        assert accounts.sign_in_oidc(claims)[0].name == "Dr Sub"
        return
    with pytest.raises(NotAllowedError, match="is older than 30 minutes. Sign in again"):
        accounts.sign_in_oidc(claims)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "x", "email": "eve@hospital.example"},
        {"sub": "x", "email": "eve@hospital.example", "email_verified": False},
        {"sub": "x", "email": "eve@hospital.example", "email_verified": "false"},
        {"sub": "x", "email": "mallory@hospital.example", "email_verified": True},
        {"email_verified": True},
        {},
    ],
)
def test_an_address_that_is_not_verified_counts_for_nothing(accounts: Accounts, claims: dict) -> None:
    accounts.add("Dr Eve", [Role.READER], oidc="eve@hospital.example")
    accounts.add("Dr Ida", [Role.READER], password=PASSWORD)
    with pytest.raises(NotAllowedError, match="no account has the identity .* An admin can add one"):
        accounts.sign_in_oidc(now(**claims))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"name": "oz", "roles": [Role.READER], "password": "short"},
            "oz: a password has 15 to 1000 characters",
        ),
        ({"name": "oz", "roles": [], "password": PASSWORD}, "oz: give at least one role of reader, adjudicator"),
        ({"name": "oz", "roles": [Role.READER]}, "oz: give a password or an OIDC identity, and not both"),
        ({"name": "oz", "roles": [Role.READER], "password": PASSWORD, "oidc": "x"}, "and not both"),
        ({"name": "ida", "roles": [Role.READER], "password": PASSWORD}, "ida: there is an account of this name"),
        ({"name": " ", "roles": [Role.READER], "password": PASSWORD}, "reader: blank"),
        ({"name": "o\0z", "roles": [Role.READER], "password": PASSWORD}, "reader: character 2 is U\\+0000"),
    ],
)
def test_an_account_that_cannot_be_is_refused(ida: Accounts, given: dict, said: str) -> None:
    with pytest.raises(ReviewError, match=said):
        ida.add(**given)
    assert len(ida.table()) == 1


def test_only_an_admin_changes_accounts(ida: Accounts) -> None:
    reader = named_reader("mallory")
    for attempt in (
        lambda: ida.add("mallory", [Role.ADMIN], password=PASSWORD, by=reader),
        lambda: ida.set_roles("ida", [Role.ADMIN], by=reader),
        lambda: ida.set_disabled("ida", True, by=reader),
        lambda: ida.set_password("ida", PASSWORD, by=named_reader("ida")),  # a name that nobody checked
    ):
        with pytest.raises(NotAllowedError, match="the role of admin is needed to change accounts"):
            attempt()
    with pytest.raises(ReviewError, match="oz: there is no such account"):
        ida.set_roles("oz", [Role.READER], by=ADMIN)
