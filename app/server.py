"""What serves the page: it opens the run before it answers, so that the first reader does not wait for it.

``python -m streamlit run app/server.py -- RUN [options]``; the page itself is ``review.py``.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st

from app import session
from app.arguments import read_arguments
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


app = st.App(Path(__file__).with_name("review.py"), lifespan=_warm)
