"""Prepares images in processes of their own (``runs.pool``): a crash or a hang of a codec costs one file and not the job."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

import numpy as np

from medclassify.data.prepare import PreparedImage
from medclassify.errors import ConfigError
from medclassify.records import Exclusion, PreparedGeometry, Preprocessing
from medclassify.runs.pool import MEMORY_A_FILE, SECONDS_A_FILE, Program, work

_PROGRAM = "import sys; from medclassify.data.decoding import main; sys.exit(main())"

Prepared = PreparedImage | Exclusion


def prepare_in_workers(
    paths: Sequence[str],
    preprocessing: Preprocessing,
    *,
    seconds: float = SECONDS_A_FILE,
    processes: int | None = None,
    keep: bool = False,
) -> Generator[Prepared, None, None]:
    """Prepares files, several at a time.

    Close the generator (``contextlib.closing``) when it may end early: that ends its processes.

    Args:
        paths: DICOM, PNG or JPEG files.
        preprocessing: What the network expects.
        seconds: How long one file may take.
        processes: How many at most; as many as there are cores when left out.
        keep: Leave the processes that are idle at the end for the next call with this preprocessing; they end with ours.

    Yields:
        For each path, in the order given: the prepared image, or an exclusion that says why there is none.

    Raises:
        ConfigError: The preprocessing names something that is not known.
        RunError: A decoding process cannot be started.
    """
    answers = work(
        Program(_PROGRAM, "decoder", "decoding"),
        {"preprocessing": asdict(preprocessing)},
        paths,
        seconds=seconds,
        memory_bytes=MEMORY_A_FILE,
        processes=processes,
        keep=keep,
    )
    with closing(answers):
        for path, answer in zip(paths, answers, strict=True):
            if isinstance(answer, str):
                yield Exclusion(path, answer, f"{path}: {answer}. Leave it out, or convert it.")
            else:
                yield _result(path, *answer)


def _result(path: str, facts: dict[str, Any], pixels: bytes) -> Prepared:
    if "config" in facts:
        raise ConfigError(facts["config"])
    if "reason" in facts:
        return Exclusion(path, facts["reason"], facts["detail"])
    return PreparedImage(
        pixels=np.frombuffer(pixels, np.uint8).reshape(facts["shape"]),
        geometry=PreparedGeometry(**facts["geometry"]),
        applied=tuple(facts["applied"]),
        warnings=tuple(facts["warnings"]),
        pixel_sha256=facts["pixel_sha256"],
    )
