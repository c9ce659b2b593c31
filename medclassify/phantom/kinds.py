"""What can be rendered: radiographs, and CT of head and chest; each kind draws patients and writes its files in its own way."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

from medclassify.config import PhantomConfig
from medclassify.phantom import files, population
from medclassify.phantom.ct import exams as ct_exams
from medclassify.phantom.ct import files as ct_files


class Kind(NamedTuple):
    """How one kind of dataset is made.

    Attributes:
        what: In words.
        version: Of the rendering.
        draw: Config and a patient's number → its exams, each with ``files``, how many it will be.
        write_share: Folder, config, first patient and step → the name of each exam when it is written.
        write_tables: Folder, config and all exams → the tables beside the images.
    """

    what: str
    version: int
    draw: Callable[[PhantomConfig, int], list[Any]]
    write_share: Callable[[Path, PhantomConfig, int, int], Generator[str, None, None]]
    write_tables: Callable[[Path, PhantomConfig, Any], None]


_RADIOGRAPHS = Kind("chest radiographs", population.VERSION, population.draw_patient, files.write_share, files.write_tables)
_HEADS = Kind("CT of the head", ct_exams.VERSION, ct_exams.draw_ct_patient, ct_files.write_share, ct_files.write_tables)
_KINDS = {"chest_xray": _RADIOGRAPHS, "head_ct": _HEADS, "chest_ct": _HEADS._replace(what="CT of the chest")}


def kind_of(config: PhantomConfig) -> Kind:
    """The kind that a config asks for."""
    return _KINDS[config.kind]
