"""What serves the page: it opens the run before it answers, so that the first reader does not wait for it.

``python -m streamlit run app/server.py -- RUN [options]``; the page itself is ``review.py``.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app import session
from app.arguments import read_arguments
from app.tickets import TICKETS
from medclassify.errors import MedclassifyError


@asynccontextmanager
async def _warm(_: st.App) -> AsyncIterator[None]:
    """Opens run, store and worklist into the caches that all sessions share, and imports what the pages need."""
    import app.case
    import app.review
    import app.worklist  # noqa: F401
    import medclassify.dicom  # noqa: F401

    # Streamlit warns of a cache that is filled before the first session; that is what this is for.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    arguments = read_arguments(sys.argv[1:])
    try:
        if arguments.root is not None:
            session.open_all(arguments)
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


_HEADERS = {"Content-Encoding": "identity", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BASE = "/".join(["", *filter(None, [str(st.get_option("server.baseUrlPath") or "").strip("/")])])

app = st.App(
    Path(__file__).with_name("review.py"),
    lifespan=_warm,
    routes=[Route(f"{_BASE}/pixels/{{ticket}}/{{part:int}}", _pixels)],
)
