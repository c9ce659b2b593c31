"""The reader alone, in someone else's pipeline."""

from pathlib import Path

import numpy as np
from monai.transforms import LoadImage

from medclassify.data import DicomReader
from medclassify.dicom import NewInstance, write_image


def test_the_ten_lines_in_the_docs_run(repository: Path, tmp_path: Path, capsys) -> None:
    page = (repository / "docs" / "dicom.md").read_text(encoding="utf-8")
    lines = page.split("## In a MONAI pipeline")[1].split("```python\n")[1].split("```")[0]
    assert len([line for line in lines.splitlines() if line]) <= 10
    for number, photometric in enumerate(("MONOCHROME1", "MONOCHROME2")):
        pixels = np.random.default_rng(number).integers(0, 4096, (50 + number, 40), dtype=np.uint16)
        facts = NewInstance(photometric=photometric, window_center=2048, window_width=4096)  # type: ignore[arg-type]
        write_image(tmp_path / f"{number}.dcm", pixels, facts)
    exec(compile(lines.replace('"incoming/"', repr(str(tmp_path))), "docs/dicom.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "torch.Size([2, 1, 224, 224])" in shown
    assert "inverted (MONOCHROME1)" in shown and "window 2048/4096 LINEAR" in shown


def test_polarity_does_not_depend_on_what_is_installed(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (50, 40), dtype=np.uint16)
    for name, stored in (("MONOCHROME2", pixels), ("MONOCHROME1", 4095 - pixels)):
        facts = NewInstance(photometric=name, window_center=2048, window_width=4096)  # type: ignore[arg-type]
        write_image(tmp_path / f"{name}.dcm", stored.astype(np.uint16), facts)
    load = LoadImage(reader=DicomReader(), image_only=True)
    one, two = (np.asarray(load(tmp_path / f"MONOCHROME{kind}.dcm")) for kind in (1, 2))
    assert one.shape == (50, 40)
    np.testing.assert_allclose(one, two, atol=1e-6)
