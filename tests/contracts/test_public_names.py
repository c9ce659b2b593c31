"""Public names change on purpose, or not at all.

``python tests/contracts/test_public_names.py`` writes public_names.json anew; name the change in CHANGELOG.md.
"""

import ast
import importlib
import json
from pathlib import Path

PINNED = Path(__file__).with_name("public_names.json")
LIBRARY = Path(__file__).resolve().parents[2] / "medclassify"


def declared() -> dict[str, list[str]]:
    """``__all__`` of every package, as written."""
    names = {}
    for source in sorted(LIBRARY.glob("*/__init__.py")):
        for statement in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
                names[source.parent.name] = ast.literal_eval(statement.value)
    return names


def test_every_package_says_what_is_public():
    packages = {source.parent.name for source in LIBRARY.glob("*/__init__.py")}
    assert set(declared()) == packages - {"workflows"}  # one module a verb, each for the command line alone


def test_public_names_are_the_pinned_ones():
    assert declared() == json.loads(PINNED.read_text(encoding="utf-8"))


def test_public_names_are_there():
    missing = [
        f"medclassify.{package}.{name}"
        for package, names in declared().items()
        for name in names
        if not hasattr(importlib.import_module(f"medclassify.{package}"), name)
    ]
    assert missing == []


def test_no_name_is_public_twice_or_private():
    for package, names in declared().items():
        assert len(set(names)) == len(names), package
        assert [name for name in names if name.startswith("_")] == [], package


if __name__ == "__main__":
    PINNED.write_text(json.dumps(declared(), indent=2) + "\n", encoding="utf-8")
