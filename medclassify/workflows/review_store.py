"""What the owner of a run does with its readings from the command line: check, export, accounts, assignments."""

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from medclassify.errors import ReviewError
from medclassify.manifest import read_manifest
from medclassify.records import Identity, Role, Split
from medclassify.review import (
    MIN_PASSWORD,
    Accounts,
    Desk,
    answers,
    open_review_run,
    open_review_store,
    review_labels,
    share_out,
    write_labels,
    write_readings,
)
from medclassify.runs import RunLayout
from medclassify.workflows.console import say, warn

_OWNER = Identity("command line", frozenset({Role.ADMIN, Role.AUDITOR}), "owner")
"""Whoever may write the run's files owns its readings; who that is, the machine knows and we do not."""


def verify_readings(run: Path, store: str | None) -> None:
    """Follows the hash chain of a run's readings and says what it found.

    Raises:
        ReviewError: The chain is broken, or the store cannot be read.
    """
    opened = open_review_store(RunLayout.open(run), store)
    found = opened.verify()
    if found.broken:
        raise ReviewError(
            f"{opened.place}: the chain of readings is broken: {found.broken}. The {found.count} lines before it are as they "
            "were stored; take the rest from a backup."
        )
    say(f"{opened.place}: {found.count} lines, unbroken and unchanged. Head: {found.head}")
    say("Keep the count and the head elsewhere: only they show lines that were cut off at the end.")


def export_readings(run: Path, store: str | None, out: Path) -> None:
    """Writes all readings as CSV or Parquet.

    Raises:
        ReviewError: The ending is neither, or the store cannot be read.
        StorageError: The disk is full or read-only.
    """
    desk = _desk(run, store)
    table = answers(desk, _OWNER)
    write_readings(table, out)
    desk.store.append("exported", _OWNER.name, {"rows": len(table), "what": "readings"})
    say(f"wrote {out} ({len(table)} answers of {table['reader'].nunique()} readers on {table['sample_id'].nunique()} samples)")


def export_labels(run: Path, store: str | None, out: Path) -> None:
    """Writes the run's labels with what was read in place of what was there.

    Raises:
        ReviewError: The ending is not .csv, nothing has been read to its end, or the store cannot be read.
        StorageError: The disk is full or read-only.
    """
    desk = _desk(run, store)
    manifest = read_manifest(desk.run.layout.manifest)
    labels, counts = review_labels(manifest, answers(desk, _OWNER))
    if not counts.samples:
        raise ReviewError(f"{desk.store.place}: no sample has been read to its end, so there are no new labels.")
    write_labels(labels, out)
    desk.store.append("exported", _OWNER.name, {"rows": len(labels), "what": "labels"})
    say(
        f"wrote {out} ({len(labels)} samples, {counts.samples} of them read: {counts.settled} labels from readers, "
        f"{counts.changed} of them new or changed)"
    )
    if counts.disputed:
        warn(f"{counts.disputed} labels are disputed between readers and not adjudicated; they are written as uncertain (-1).")
    if counts.unknown:
        warn(f"{counts.unknown} findings that readers added have no column of their own; --export lists them.")
    say(f"next: medclassify index IMAGES --labels {out} --out reviewed.parquet")


def add_account(run: Path, store: str | None, name: str, roles: Sequence[str], oidc: str | None) -> None:
    """Makes an account; without an OIDC identity it asks for a password.

    Raises:
        ReviewError: The account cannot be made.
    """
    accounts = Accounts(open_review_store(RunLayout.open(run), store))
    accounts.add(name, [Role(role) for role in roles], password="" if oidc else _password(name), oidc=oidc or "")
    say(f"added {name} ({', '.join(roles)}). From now on nobody reads without signing in.")


def set_password(run: Path, store: str | None, name: str) -> None:
    """Gives an account a new password.

    Raises:
        ReviewError: There is no such account, or the password is too short.
    """
    Accounts(open_review_store(RunLayout.open(run), store)).set_password(name, _password(name))
    say(f"{name} has a new password; open sessions of the account have ended.")


def close_account(run: Path, store: str | None, name: str) -> None:
    """Closes an account; its readings stay.

    Raises:
        ReviewError: There is no such account.
    """
    Accounts(open_review_store(RunLayout.open(run), store)).set_disabled(name, True)
    say(f"{name} can no longer sign in; the account's readings stay.")


def assign_readers(run: Path, store: str | None, readers: Sequence[str], per_sample: int) -> None:
    """Shares the samples of the test split out to readers.

    Raises:
        ReviewError: There are fewer readers than one sample needs.
    """
    desk = _desk(run, store)
    predictions = desk.run.predictions
    samples = predictions.loc[predictions["split"] == Split.TEST.value, "sample_id"].drop_duplicates().tolist()
    shared = share_out(samples, readers, per_sample=per_sample)
    for group, chosen in shared.items():
        desk.assign(_OWNER, chosen, group)
    counts = ", ".join(f"{name} {sum(len(ids) for group, ids in shared.items() if name in group)}" for name in readers)
    say(f"assigned {len(samples)} samples of the test split, {per_sample} readers each: {counts}")


def _desk(run: Path, store: str | None) -> Desk:
    opened = open_review_run(run)
    return Desk(opened, open_review_store(opened.layout, store))


def _password(name: str) -> str:
    if not sys.stdin.isatty():  # one line of a pipe: a password never stands in a command
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass(f"Password of {name} (at least {MIN_PASSWORD} characters): ")
    if getpass.getpass("Once more: ") != first:
        raise ReviewError("the two passwords differ; nothing was changed. Start again.")
    return first
