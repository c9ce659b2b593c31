"""Local accounts and those of an OIDC provider: who is at the page, and for how long."""

import hashlib
import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from medclassify.errors import NotAllowedError, ReviewError
from medclassify.records import Identity, Role
from medclassify.review.people import OIDC, PASSWORD, require_role
from medclassify.review.store import ReviewStore, Writer
from medclassify.review.tables import ACCOUNTS, SESSIONS
from medclassify.review.text import check_reader

MIN_PASSWORD = 15
"""Characters a password has at least: what NIST SP 800-63B-4 asks for where nothing but the password protects."""
_MAX_PASSWORD = 1_000
_FAILURES = 5
_LOCK = timedelta(minutes=15)
_KEEP_ALIVE = timedelta(seconds=30)
_REFUSED = "The name or the password is wrong, or the account is locked for 15 minutes after five failures."


class Accounts:
    """The accounts of a store.

    Args:
        store: Where they are kept, beside the readings.
        idle: How long a session lasts after its last use.
    """

    def __init__(self, store: ReviewStore, *, idle: timedelta = timedelta(minutes=30)) -> None:
        self._store = store
        self._idle = idle

    @property
    def required(self) -> bool:
        """Whether there is an account, so that nobody reads without signing in."""
        with self._store.reading() as connection:
            return connection.execute(sa.select(ACCOUNTS.c.name).limit(1)).first() is not None

    def table(self) -> pd.DataFrame:
        """The accounts: ``name, roles, oidc, disabled``, by name; no password, not even its hash."""
        query = sa.select(ACCOUNTS.c.name, ACCOUNTS.c.roles, ACCOUNTS.c.oidc, ACCOUNTS.c.disabled).order_by(ACCOUNTS.c.name)
        with self._store.reading() as connection:
            rows = [(name, roles, oidc, bool(disabled)) for name, roles, oidc, disabled in connection.execute(query)]
        return pd.DataFrame(rows, columns=["name", "roles", "oidc", "disabled"])

    def add(
        self, name: str, roles: Collection[Role], *, password: str = "", oidc: str = "", by: Identity | None = None
    ) -> None:
        """Makes an account, for a password or for an identity of an OIDC provider.

        Args:
            name: Under which readings are stored.
            roles: What the account may do; at least one.
            password: At least `MIN_PASSWORD` characters.
            oidc: A verified e-mail address or a ``sub`` of the provider.
            by: The admin; None at the command line, whose user owns the store.

        Raises:
            ReviewError: The name is taken or cannot be stored, there is no role, the password is too short, or both or neither
                of the two ways to sign in are given.
            NotAllowedError: Not an admin.
        """
        _require_admin(by)
        check_reader(name)
        _check_roles(name, roles)
        if bool(password) == bool(oidc.strip()):
            raise ReviewError(f"{name}: give a password or an OIDC identity, and not both.")
        row = {
            "name": name,
            "roles": _roles_text(roles),
            "password": _hashed(name, password) if password else "",
            "oidc": oidc.strip(),
            "disabled": 0,
            "failures": 0,
            "locked_until": "",
        }
        with self._store.writing() as writer:
            taken = sa.or_(ACCOUNTS.c.name == name, sa.and_(ACCOUNTS.c.oidc == oidc.strip(), ACCOUNTS.c.oidc != ""))
            if writer.connection.execute(sa.select(ACCOUNTS.c.name).where(taken)).first():
                raise ReviewError(f"{name}: there is an account of this name or identity. Choose another, or change that one.")
            writer.connection.execute(ACCOUNTS.insert(), row)
            _log(writer, "account_added", by, name, roles=row["roles"], oidc=row["oidc"])

    def set_roles(self, name: str, roles: Collection[Role], *, by: Identity | None = None) -> None:
        """Changes what an account may do.

        Raises:
            ReviewError: There is no such account, or no role.
            NotAllowedError: Not an admin.
        """
        _check_roles(name, roles)
        self._change(name, "roles_changed", by, {"roles": _roles_text(roles)}, roles=_roles_text(roles))

    def set_password(self, name: str, password: str, *, by: Identity | None = None) -> None:
        """Gives an account a new password and ends its sessions.

        Raises:
            ReviewError: There is no such account, or the password is too short.
            NotAllowedError: Neither an admin nor the account's own user.
        """
        own = by is not None and by.name == name and by.method == PASSWORD
        values = {"password": _hashed(name, password), "failures": 0, "locked_until": ""}
        self._change(name, "password_changed", None if own else by, values, ends_sessions=True)

    def set_disabled(self, name: str, disabled: bool, *, by: Identity | None = None) -> None:
        """Closes an account, or opens it again; its readings stay.

        Raises:
            ReviewError: There is no such account.
            NotAllowedError: Not an admin.
        """
        kind = "account_closed" if disabled else "account_opened"
        self._change(name, kind, by, {"disabled": int(disabled)}, ends_sessions=disabled)

    def sign_in(self, name: str, password: str) -> tuple[Identity, str]:
        """Signs in with a password.

        Returns:
            Who it is, and the session's token: keep it where a refresh finds it, and never in an address.

        Raises:
            NotAllowedError: The name or the password is wrong, or the account is closed or locked; which, it does not say.
        """
        now = datetime.now(UTC)
        with self._store.reading() as connection:
            account = connection.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.name == name)).mappings().first()
        if account is None or not account["password"] or account["disabled"]:
            _matches(_nobody(), password)  # an unknown name takes as long as a wrong password
            raise NotAllowedError(_REFUSED)
        right = _matches(account["password"], password)
        if account["locked_until"] > now.isoformat():
            raise NotAllowedError(_REFUSED)
        if not right:
            self._count_failure(name, now)
            raise NotAllowedError(_REFUSED)
        return self._begin(account, PASSWORD, now)

    def sign_in_oidc(self, claims: Mapping[str, Any]) -> tuple[Identity, str]:
        """Signs in whom an OIDC provider has named.

        An e-mail address counts only where the provider says ``email_verified``: anyone may write any address. A token counts
        no longer than a session lasts without use: Streamlit keeps it for weeks, and a screen left alone would go on for ever.

        Args:
            claims: Of the ID token: ``sub``, ``email``, ``email_verified``, ``iat``.

        Raises:
            NotAllowedError: No open account has this identity, or the token is too old.
        """
        issued = datetime.fromtimestamp(float(claims.get("iat") or 0), UTC)
        if datetime.now(UTC) - issued > self._idle:
            minutes = self._idle.total_seconds() / 60
            raise NotAllowedError(f"your sign-in with your organisation is older than {minutes:.0f} minutes. Sign in again.")
        known = [str(claims["sub"])] if claims.get("sub") else []
        if claims.get("email") and claims.get("email_verified") in (True, "true"):
            known.append(str(claims["email"]))
        with self._store.reading() as connection:
            query = sa.select(ACCOUNTS).where(ACCOUNTS.c.oidc.in_(known), ACCOUNTS.c.oidc != "", ACCOUNTS.c.disabled == 0)
            found = connection.execute(query).mappings().all()
        if len(found) != 1:
            shown = ", ".join(known) or "no sub and no verified email"
            raise NotAllowedError(f"no account has the identity {shown[:MAX_SHOWN]}. An admin can add one.")
        return self._begin(found[0], OIDC, datetime.now(UTC))

    def resume(self, token: str) -> Identity | None:
        """Who holds a token, whose session lives on; None where it is unknown or idle too long, or the account is closed."""
        now = datetime.now(UTC)
        query = sa.select(SESSIONS, ACCOUNTS.c.roles, ACCOUNTS.c.disabled).join(ACCOUNTS, ACCOUNTS.c.name == SESSIONS.c.name)
        with self._store.reading() as connection:
            found = connection.execute(query.where(SESSIONS.c.token == _token_hash(token))).mappings().first()
        if found is None:
            return None
        seen_at = datetime.fromisoformat(found["seen_at"])
        if found["disabled"] or now - seen_at > self._idle:
            self.sign_out(token)
            return None
        if now - seen_at > _KEEP_ALIVE:
            with self._store.writing() as writer:
                writer.connection.execute(
                    SESSIONS.update().where(SESSIONS.c.token == _token_hash(token)).values(seen_at=now.isoformat())
                )
        return Identity(found["name"], _roles_of(found["roles"]), found["method"])

    def sign_out(self, token: str) -> None:
        """Ends a session."""
        with self._store.writing() as writer:
            writer.connection.execute(SESSIONS.delete().where(SESSIONS.c.token == _token_hash(token)))

    def _begin(self, account: Mapping[Any, Any], method: str, now: datetime) -> tuple[Identity, str]:
        token = secrets.token_urlsafe(32)
        ended = (now - self._idle).isoformat()
        with self._store.writing() as writer:
            writer.connection.execute(
                ACCOUNTS.update().where(ACCOUNTS.c.name == account["name"]).values(failures=0, locked_until="")
            )
            writer.connection.execute(SESSIONS.delete().where(SESSIONS.c.seen_at < ended))
            row = {"token": _token_hash(token), "name": account["name"], "method": method, "seen_at": now.isoformat()}
            writer.connection.execute(SESSIONS.insert(), row)
            writer.append("signed_in", account["name"], {"signed_in": method})
        return Identity(account["name"], _roles_of(account["roles"]), method), token

    def _count_failure(self, name: str, now: datetime) -> None:
        with self._store.writing() as writer:
            failures = writer.connection.execute(sa.select(ACCOUNTS.c.failures).where(ACCOUNTS.c.name == name)).scalar_one() + 1
            locks = failures >= _FAILURES
            values = {"failures": 0, "locked_until": (now + _LOCK).isoformat()} if locks else {"failures": failures}
            writer.connection.execute(ACCOUNTS.update().where(ACCOUNTS.c.name == name).values(**values))
            if locks:
                writer.append("account_locked", name, {})

    def _change(
        self,
        name: str,
        kind: str,
        by: Identity | None,
        values: Mapping[str, Any],
        *,
        ends_sessions: bool = False,
        **told: str,
    ) -> None:
        _require_admin(by)
        with self._store.writing() as writer:
            changed = writer.connection.execute(ACCOUNTS.update().where(ACCOUNTS.c.name == name).values(**values))
            if not changed.rowcount:
                raise ReviewError(f"{name}: there is no such account. Add it with: --add-account")
            if ends_sessions:
                writer.connection.execute(SESSIONS.delete().where(SESSIONS.c.name == name))
            _log(writer, kind, by, name, **told)


MAX_SHOWN = 200
"""Characters of an unknown identity that a refusal repeats."""


def _log(writer: Writer, kind: str, by: Identity | None, account: str, **told: str) -> None:
    # Whoever holds the machine's account owns the store; who that was is not known here, and is not invented.
    writer.append(kind, "command line" if by is None else by.name, {"account": account, **told})


def _require_admin(by: Identity | None) -> None:
    if by is not None:
        require_role(by, Role.ADMIN, to="change accounts")


def _check_roles(name: str, roles: Collection[Role]) -> None:
    if not roles:
        raise ReviewError(f"{name}: give at least one role of {', '.join(Role)}.")


def _roles_text(roles: Collection[Role]) -> str:
    return ",".join(sorted(Role(role).value for role in roles))


def _roles_of(text: str) -> frozenset[Role]:
    return frozenset(Role(role) for role in text.split(","))


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _hashed(name: str, password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise ReviewError(f"{name}: a password has {MIN_PASSWORD} to {_MAX_PASSWORD} characters; this one has {len(password)}.")
    from argon2 import PasswordHasher  # the reader's page need not wait for it

    return PasswordHasher().hash(password)


def _matches(stored: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(stored, password[:_MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False


_unmatched: list[str] = []


def _nobody() -> str:
    """A hash that no password matches, of the same cost."""
    if not _unmatched:
        _unmatched.append(_hashed("nobody", secrets.token_urlsafe(32)))
    return _unmatched[0]
