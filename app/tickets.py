"""What a browser may fetch of its own: image values, by names that nobody can guess and that end with the session.

An image goes over HTTP and not through Streamlit's messages: those would be hashed, packed and sent again on every rerun.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

import streamlit as st

from medclassify.errors import ReviewError

Read = Callable[[int, bool], bytes]
"""Reads a part (a slice; 0 of a single image), at full resolution or not."""


class Tickets:
    """Names under which something can be fetched, each for as long as a session lasts without use."""

    def __init__(self) -> None:
        self.idle = timedelta(minutes=30)
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, Read]] = OrderedDict()  # the one used last stands last

    def issue(self, read: Read) -> str:
        """A new name for something."""
        ticket = secrets.token_urlsafe(24)
        with self._lock:
            self._held[ticket] = time.monotonic(), read
            while self._ended(next(iter(self._held.values()))[0]):
                self._held.popitem(last=False)
        return ticket

    def renew(self, ticket: str) -> bool:
        """Whether a ticket is still good; if so, its time begins anew."""
        with self._lock:
            used, read = self._held.pop(ticket, (0.0, None))
            if read is None or self._ended(used):
                return False
            self._held[ticket] = time.monotonic(), read
        return True

    def _ended(self, used: float) -> bool:
        return time.monotonic() - used > self.idle.total_seconds()

    def drop(self, ticket: str) -> None:
        """Ends a ticket."""
        with self._lock:
            self._held.pop(ticket, None)

    def read(self, ticket: str, part: int, *, full: bool) -> bytes:
        """What a ticket is for.

        Raises:
            ReviewError: It is unknown or has ended, or what it names cannot be read.
        """
        if not self.renew(ticket):
            raise ReviewError("The page was left for too long, so its images can no longer be fetched. Load it again.")
        return self._held[ticket][1](part, full)


TICKETS = Tickets()
"""Of all sessions of this process."""


def ticket_for(key: str, read: Read) -> str:
    """The session's ticket for something; the same one as long as it lasts."""
    held = st.session_state.setdefault("tickets", {})
    if not TICKETS.renew(held.get(key, "")):
        held[key] = TICKETS.issue(read)
    return held[key]


def drop_tickets() -> None:
    """Ends all tickets of the session."""
    for ticket in st.session_state.get("tickets", {}).values():
        TICKETS.drop(ticket)
