"""The page on manifests knows every reason and column there is."""

import typing
from pathlib import Path

import pytest

from medclassify.cli import main
from medclassify.config.schema import LabelFormat, UncertainPolicy
from medclassify.manifest import AGE_BANDS, CORE_COLUMNS, build, identity, images, matching, read_labels
from medclassify.manifest.formats import LAYOUTS
from medclassify.manifest.labels import KEYS
from medclassify.manifest.uncertainty import UNCERTAIN_TARGET


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
    table, sections = page.split("| Name | Data set | File |")[1].split("### generic", 1)
    for layout in LAYOUTS:
        assert f"`{layout.NAME}`" in table
        assert f"### {layout.NAME}\n" in "### generic" + sections or f"| `{layout.NAME}`: " in sections
    for band in AGE_BANDS:
        assert band in page


def test_the_example_on_the_page_is_read_as_it_says(page: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(page.split("```csv\npath,")[1].split("```")[0].join(("path,", "")))
    labels = read_labels(tmp_path / "labels.csv")
    assert labels.findings == ("effusion", "nodule")
    assert labels.attributes == ()
    assert labels.rows["nodule"].isna().tolist() == [False, True, False]


def test_config_and_help_know_the_layouts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # so that no name is broken at its hyphen
    names = {layout.NAME for layout in LAYOUTS}
    assert set(typing.get_args(LabelFormat)) == {"auto", *names}
    with pytest.raises(SystemExit):
        main(["index", "--help"])
    shown = capsys.readouterr().out.replace(",", " ").split()
    assert names <= set(shown)


def test_every_policy_is_explained_with_its_value(page: str) -> None:
    section = page.split("## Uncertain labels")[1].split("\n## ")[0]
    for policy in typing.get_args(UncertainPolicy):
        assert f"| `{policy}`" in section
    assert f"learnt as {UNCERTAIN_TARGET:g}, the mean" in section
