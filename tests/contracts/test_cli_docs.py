"""docs/cli.md describes every verb, with every option and the worked example that its --help shows."""

import argparse
import re
from pathlib import Path

import pytest

from medclassify.cli.verbs import VERBS, Verb

every_verb = pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])


@pytest.fixture(scope="module")
def sections(repository: Path) -> dict[str, str]:
    """The text below each second-level heading."""
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


@every_verb
def test_its_section_has_every_option_and_the_example(verb: Verb, sections: dict[str, str]):
    assert verb.name in sections, f"docs/cli.md has no section '## {verb.name}'"
    section = sections[verb.name]
    parser = argparse.ArgumentParser(add_help=False)
    verb.add_arguments(parser)
    for action in parser._actions:
        for option in action.option_strings:
            assert f"`{option}" in section or f" {option}" in section, option
    assert verb.example in section


def test_no_section_is_left_of_a_verb_that_is_gone(sections: dict[str, str]):
    assert set(sections) - {verb.name for verb in VERBS} <= {"Every verb", "Exit codes"}


@every_verb
def test_its_help_ends_with_the_example(verb: Verb, capsys: pytest.CaptureFixture[str]):
    from medclassify.cli import main

    with pytest.raises(SystemExit) as stop:
        main([verb.name, "--help"])
    assert stop.value.code == 0
    assert " ".join(verb.example.split()) in " ".join(capsys.readouterr().out.split())
