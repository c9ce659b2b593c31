"""The reference of the command line and of the config is what the program says of itself."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from medclassify.cli.verbs import VERBS, Verb

every_verb = pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])


@pytest.fixture(scope="module")
def reference(repository: Path) -> ModuleType:
    """The program that writes the generated parts."""
    spec = importlib.util.spec_from_file_location("reference", repository / "docs" / "make" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sections(repository: Path) -> dict[str, str]:
    """The text below each second-level heading of docs/cli.md."""
    parts = re.split(r"^## ", (repository / "docs" / "cli.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].strip(" `"): part for part in parts}


def test_the_verbs_are_those_of_the_contract():
    assert [verb.name for verb in VERBS] == [
        *(
            "index",
            "plan",
            "prepare",
            "fit",
            "tune-hparams",
            "evaluate",
            "predict",
            "audit",
            "explain",
            "compare",
            "gate",
            "review",
            "verify",
        )
    ]


def test_generated_parts_are_up_to_date(reference: ModuleType):
    stale = [path.name for path, text in reference.pages() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run: python docs/make/reference.py"


def test_a_changed_part_is_written_anew_and_a_lost_place_is_told(reference: ModuleType):
    page = "by hand\n<!-- generated: fit -->\nold\n<!-- end -->\nby hand\n"
    assert reference.generated(page, {"fit": lambda: "new"}) == page.replace("old", "new")
    with pytest.raises(ValueError, match=r"each for \['fit', 'plan'\], found \['fit'\]"):
        reference.generated(page, {"fit": str, "plan": str})


def test_the_pages_hold_every_option_and_key(reference: ModuleType):
    texts = {path.name: text for path, text in reference.pages()}
    assert "| `--attributes A,B` |" in texts["cli.md"] and "| `--ckpt_path last` |" in texts["cli.md"]
    for key in ("data.phantom.seed", "optimizer.recipe", "audit.statements.owner"):
        assert f"| `{key}` |" in texts["config.md"]


@every_verb
def test_its_section_has_the_example(verb: Verb, sections: dict[str, str]):
    assert verb.example in sections[verb.name]


def test_no_section_is_left_of_a_verb_that_is_gone(sections: dict[str, str]):
    assert set(sections) - {verb.name for verb in VERBS} <= {"Every verb", "Exit codes"}


@every_verb
def test_its_help_ends_with_the_example(verb: Verb, capsys: pytest.CaptureFixture[str]):
    from medclassify.cli import main

    with pytest.raises(SystemExit) as stop:
        main([verb.name, "--help"])
    assert stop.value.code == 0
    assert " ".join(verb.example.split()) in " ".join(capsys.readouterr().out.split())
