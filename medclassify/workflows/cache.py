"""Where derived data lies between runs: prepared stores and the demonstration dataset."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$MEDCLASSIFY_CACHE``, else ``~/.cache/medclassify``. It holds images: protect it as you protect the originals."""
    return Path(os.environ.get("MEDCLASSIFY_CACHE") or Path.home() / ".cache" / "medclassify")
