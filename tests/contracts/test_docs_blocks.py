"""What the documents tell a reader to type is understood by the program: every command, config and table of every page."""

import ast
import importlib
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from medclassify.cli.main import _parser, _part_overrides
from medclassify.config import find_config, load_config, read_overrides
from medclassify.errors import MedclassifyError

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "benchmarks" / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
LANGUAGES = {"sh", "yaml", "toml", "python", "csv", "json", "text"}  # text: what is printed, or a picture of folders


class Block(NamedTuple):
    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in PAGES:
        for language, text in re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL):
            found.append(Block(page.relative_to(REPOSITORY).as_posix(), language, text))
    return [block for block in found if not languages or block.language in languages]


def commands(block: Block, program: str) -> Iterator[list[str]]:
    """The words after ``program``, of each of its calls in a block."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(re.sub(r'(?<!")\$\w+', "", line), comments=True)  # without what a shell would put in
        for start in (number for number, word in enumerate(words) if word == program):
            yield list(takewhile(lambda word: word not in ("&&", "|", ">", ";", "||"), words[start + 1 :]))


def understood(words: list[str]) -> None:
    """Raises what the command line would raise before it does anything."""
    parser, verbs = _parser()
    verb = verbs[words[0]]
    overrides: list[str] = []
    if verb.get_default("verb").takes_overrides:
        words, overrides = _part_overrides(words, verb)
    config = find_config(getattr(parser.parse_args(words), "config", None) or "none")
    if config.is_file():
        load_config(config, overrides)
    else:
        read_overrides(overrides)


def test_every_block_says_what_it_is():
    assert len(blocks()) > 80
    assert [block for block in blocks() if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("sh")}))
def test_commands_are_understood(page: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(REPOSITORY)
    for block in blocks("sh"):
        if block.page == page:
            assert subprocess.run(["bash", "-n"], input=block.text, text=True, check=False).returncode == 0, block.text
            for words in commands(block, "medclassify"):
                try:
                    understood(words)
                except SystemExit:
                    pytest.fail(f"{page}: medclassify {shlex.join(words)} is not understood")


@pytest.mark.parametrize(
    "line", ["fit CONFIG --trainer.epochs 3", "index images/", "scan images/", "predict RUN x --output t.csv"]
)
def test_a_mistyped_command_is_found(line: str):
    [words] = commands(Block("page", "sh", f"$PYTHON -m medclassify {line} && ls  # and so on"), "medclassify")
    with pytest.raises((SystemExit, KeyError, MedclassifyError)):
        understood(words)


def test_extras_that_are_installed_exist():
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {
        name
        for block in blocks("sh")
        for group in re.findall(r"pip install.*\[([\w,]+)\]", block.text)
        for name in group.split(",")
    }
    assert {"dev"} < named <= set(extras)


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.page)
def test_a_config_is_read(block: Block, tmp_path: Path):
    path = tmp_path / "block.yaml"
    path.write_text(block.text, encoding="utf-8")
    if block.page == "docs/gate.md":
        from medclassify.gating import load_policy

        load_policy(path)
    elif block.text.startswith("# space.yaml"):
        from medclassify.config import Config
        from medclassify.search import read_space

        read_space(path, Config())
    elif block.text.startswith("# .github"):
        yaml.safe_load(block.text)
    else:
        load_config(path)


def test_toml_is_read():
    assert [tomllib.loads(block.text) for block in blocks("toml")]


@pytest.mark.parametrize(
    "block", [block for block in blocks("python") if ">>>" not in block.text], ids=lambda block: block.page
)
def test_python_that_is_not_run_can_be_read_and_finds_its_names(block: Block):
    """What needs data of the reader's own is not run here; examples with ``>>>`` are, in tests/docs."""
    for statement in ast.walk(ast.parse(block.text)):
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith(("medclassify", "app")):
            module = importlib.import_module(str(statement.module))
            assert [alias.name for alias in statement.names if not hasattr(module, alias.name)] == []


def test_the_picture_of_the_floors_is_what_the_import_rules_hold():
    rules = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [floors] = [rule["layers"] for rule in rules if rule["id"] == "layers"]
    pictures = [block.text.splitlines() for block in blocks("text") if block.text.startswith("cli\n")]
    assert pictures == [floors]
