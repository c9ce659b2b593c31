"""What a decoding process does: one path to a prepared image; see ``workers`` for the other side.

It loads no network stack, so it is ready in a fraction of a second.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import cv2

from medclassify.data.prepare import prepare_image
from medclassify.errors import ConfigError, DicomError
from medclassify.records import Preprocessing
from medclassify.runs.serving import Answer, fault_of_file, serve


def main() -> int:
    """Answers paths until there are no more."""
    return serve(_prepare)


def _prepare(order: dict[str, Any]) -> Callable[[str], Answer]:
    given: dict[str, Any] = order["preprocessing"]
    facts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    preprocessing = Preprocessing(**facts)
    cv2.setNumThreads(1)
    return lambda path: _answer(path, preprocessing)


def _answer(path: str, preprocessing: Preprocessing) -> Answer:
    try:
        image = prepare_image(path, preprocessing)
    except DicomError as error:
        return {"reason": error.reason, "detail": str(error)}, b""
    except ConfigError as error:
        return {"config": str(error)}, b""
    except Exception as error:
        reason, detail = fault_of_file(path, error)
        return {"reason": reason, "detail": detail}, b""
    return {
        "shape": image.pixels.shape,
        "geometry": asdict(image.geometry),
        "applied": image.applied,
        "warnings": image.warnings,
        "pixel_sha256": image.pixel_sha256,
    }, image.pixels.tobytes()
