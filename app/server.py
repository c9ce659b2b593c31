"""What serves the page: it opens the run before it answers, so that the first reader does not wait for it.

``python -m streamlit run app/server.py -- RUN [options]``; the page itself is ``review.py``.
"""

import logging
import mimetypes
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app import session
from app.arguments import read_arguments
from app.tickets import TICKETS
from medclassify.errors import MedclassifyError
from medclassify.review import named_reader


@asynccontextmanager
async def _warm(_: st.App) -> AsyncIterator[None]:
    """Opens run, store and worklist into the caches that all sessions share, and imports what the pages need."""
    import app.case
    import app.review  # noqa: F401
    import medclassify.dicom  # noqa: F401
    from app.worklist import show_worklist

    # Streamlit warns of what is done before the first session; that is what this is for.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    arguments = read_arguments(sys.argv[1:])
    try:
        if arguments.root is not None:
            desk, queues, _ = session.open_all(arguments)
            show_worklist(desk, queues, named_reader("-"))  # for nobody: what is slow once is done then
    except MedclassifyError:
        pass  # told on the page
    session.settle_memory()
    yield


def _pixels(request: Request) -> Response:
    """Image values, for whom the page has given a ticket."""
    try:
        message = TICKETS.read(request.path_params["ticket"], request.path_params["part"], full="full" in request.query_params)
    except MedclassifyError as error:
        return PlainTextResponse(str(error), 404)
    # Pixels hardly shrink by gzip, and a patient's image is in no cache of the browser.
    return Response(message, media_type="application/octet-stream", headers=_HEADERS)


class _Assets:
    """Serves the files of Streamlit's own page from memory: a page asks for a hundred, and Streamlit reads each in a thread."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _ASSETS.get(scope["path"]) if scope["type"] == "http" else None
        if path is None:
            await self._app(scope, receive, send)
            return
        kind = mimetypes.guess_type(path)[0]
        await Response(_read_asset(path), media_type=kind, headers=_KEPT)(scope, receive, send)


@cache
def _read_asset(path: Path) -> bytes:
    return path.read_bytes()


_HEADERS = {"Content-Encoding": "identity", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BASE = "/".join(["", *filter(None, [str(st.get_option("server.baseUrlPath") or "").strip("/")])])
_PAGE = Path(st.__file__).with_name("static")
_ASSETS = {f"{_BASE}/{path.relative_to(_PAGE).as_posix()}": path for path in _PAGE.glob("static/*/*")}
_KEPT = {"Cache-Control": "public, immutable, max-age=31536000"}  # their names hold a hash

app = st.App(
    Path(__file__).with_name("review.py"),
    lifespan=_warm,
    routes=[Route(f"{_BASE}/pixels/{{ticket}}/{{part:int}}", _pixels)],
    middleware=[Middleware(_Assets)],
)
