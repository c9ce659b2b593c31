"""The page on manifests knows every reason and column there is."""

from pathlib import Path

import pytest

from medclassify.manifest import AGE_BANDS, CORE_COLUMNS, build, identity, images, matching, read_labels
from medclassify.manifest.formats import LAYOUTS
from medclassify.manifest.labels import KEYS


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "manifest.md").read_text(encoding="utf-8")


def test_every_reason_of_exclusion_is_explained(page: str) -> None:
    modules = (build, identity, images, matching)
    constants = {
        value for module in modules for name, value in vars(module).items() if name.isupper() and isinstance(value, str)
    }
    reasons = {value for value in constants if not value.startswith("(")}
    assert len(reasons) == 9
    for reason in reasons:
        assert f"| `{reason}` |" in page


def test_every_column_key_layout_and_age_band_is_named(page: str) -> None:
    assert ", ".join(CORE_COLUMNS) in page
    for key in KEYS:
        assert f"`{key}`" in page
    for layout in LAYOUTS:
        assert f"### {layout.NAME}\n" in page
    for band in AGE_BANDS:
        assert band in page


def test_the_example_on_the_page_is_read_as_it_says(page: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(page.split("```\npath,")[1].split("```")[0].join(("path,", "")))
    labels = read_labels(tmp_path / "labels.csv")
    assert labels.findings == ("effusion", "nodule")
    assert labels.attributes == ()
    assert labels.rows["nodule"].isna().tolist() == [False, True, False]
