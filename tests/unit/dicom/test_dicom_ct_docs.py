"""The page on CT, held to the code."""

import doctest
import re
from pathlib import Path

from ct_files import CORONAL, write_slice, write_stack


def test_the_examples_run(repository: Path, tmp_path: Path, bundled) -> None:
    paths = write_stack(tmp_path, [5.0 * index for index in range(20)])
    paths[7].unlink()
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_slice(tmp_path / "scout.dcm", (-100, 0, 50), ImageType=scout, ImageOrientationPatient=list(CORONAL))
    names = {"exam": tmp_path, "disc": bundled("dicomdirtests")}
    found = doctest.testfile(str(repository / "docs" / "ct.md"), module_relative=False, globs=names)
    assert found.attempted > 10
    assert found.failed == 0


def test_every_reason_for_quarantine_is_named(repository: Path) -> None:
    folder = repository / "medclassify" / "dicom"
    source = "".join((folder / f"{name}.py").read_text(encoding="utf-8") for name in ("series", "repeats"))
    page = (repository / "docs" / "ct.md").read_text(encoding="utf-8")
    phrases = set(re.findall(r'"((?!of )[a-z]+(?: [a-z]+)*)"', source)) - {"none"}
    assert len(phrases) == 11
    assert {phrase for phrase in phrases if f"`{phrase}`" not in page} == set()
