"""What is committed speaks of the project alone, and its papers agree with each other."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import medclassify

# Spelled in parts, so that this file does not hold what it looks for.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("deb", "debian", "org"), ("npmjs", "org"))]
HOSTS += [".".join(parts) for parts in (("registry", "npmjs"), ("download", "pytorch", "org"))]
MACHINE = [
    "/".join(("", *parts, "")) for parts in (("work",), ("opt", "mc"), ("root",), ("tmp", "bash_jobs"), ("work", "shared"))
]
CANARY = "CAN" + "ARY"
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "base", "misc"}


def tracked(repository: Path) -> dict[str, str]:
    """Every committed text file, by name."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip(f"not a git checkout: {listing.stderr.strip()}")
    texts = {}
    for name in filter(None, listing.stdout.split("\0")):
        path = repository / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            texts[name] = content.decode("utf-8")
    return texts


@pytest.fixture(scope="module")
def texts(repository: Path) -> dict[str, str]:
    return tracked(repository)


def sources(repository: Path) -> list[Path]:
    return sorted(path for package in ("medclassify", "app") for path in (repository / package).rglob("*.py"))


@pytest.mark.parametrize("phrase", [*HOSTS, *MACHINE])
def test_no_file_names_a_package_host_or_a_machine(texts: dict[str, str], phrase: str):
    assert [name for name, text in texts.items() if phrase in text] == []


def test_the_word_that_marks_a_patients_name_stays_in_invented_headers(texts: dict[str, str]):
    allowed = ("tests/", "docs/", "medclassify/phantom/")
    outside = [name for name, text in texts.items() if CANARY in text and not name.startswith(allowed)]
    assert outside == []


def test_constraints_are_exact_versions_and_nothing_else(repository: Path):
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_every_dependency_has_a_lower_bound_and_a_pin(repository: Path):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    pinned = re.findall(r"^([\w.-]+)==", (repository / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pinned_names = {name.lower().replace("_", "-") for name in pinned}
    for line in wanted:
        name = re.fullmatch(r"([\w.-]+)(\[\w+\])?>=[\d.]+", line)
        assert name, f"{line}: give a lower bound, and no upper one"
        assert name[1].lower().replace("_", "-") in pinned_names, f"{name[1]} has no pin in constraints.txt"


def test_what_the_program_imports_is_declared(repository: Path):
    """A library that only the tools of development bring along is missing on a user's machine."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras if extra != "dev" for line in extras[extra])]
    declared = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}  # type: ignore[index]
    modules = set()
    for path in (*(repository / "medclassify").rglob("*.py"), *(repository / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module).split(".")[0])
    providers = importlib.metadata.packages_distributions()
    foreign = modules - set(sys.stdlib_module_names) - {"medclassify", "app"}
    assert {"torch", "yaml"} < foreign
    missing = {
        name for name in foreign if not declared & {maker.lower().replace("_", "-") for maker in providers.get(name, ())}
    }
    assert missing == set()
    assert "jsonargparse[signatures]" in str(project["dependencies"])  # without it, the help of a config key has no words


def test_version_and_changelog_agree(repository: Path):
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (?:\[)?(\d+\.\d+\.\d+)", changelog, flags=re.MULTILINE)
    assert released, "CHANGELOG.md names no version"
    assert released[0] == medclassify.__version__


def test_readme_opens_with_the_two_commands(repository: Path):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    commands = ["pip install -e . && medclassify fit configs/chest_xray.yaml", 'pip install -e ".[dev]" && pytest']
    lines = readme.splitlines()
    assert [line for line in lines if line in commands] == commands
    assert lines.index(commands[1]) < 30


def test_links_inside_the_documents_lead_somewhere(repository: Path, texts: dict[str, str]):
    dead = []
    for name in (name for name in texts if name.endswith(".md")):
        for target in re.findall(r"\]\(([^)#\s]+)", texts[name]):
            if "://" not in target and not target.startswith("mailto:") and not ((repository / name).parent / target).exists():
                dead.append(f"{name}: {target}")
    assert dead == []


def test_nothing_unpickles(repository: Path):
    found = []
    for path in [*sources(repository), *sorted((repository / "benchmarks").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: imports {name}" for name in modules if name.split(".")[0] in UNPICKLERS]
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
                found += [] if safe else [f"{path}:{node.lineno}: torch.load without weights_only=True"]
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
                found.append(f"{path}:{node.value.lineno}: allow_pickle")
    assert found == []


def test_every_module_is_named_for_what_it_is_about(repository: Path):
    names = [path.relative_to(repository).with_suffix("") for path in sources(repository)]
    assert [name for name in names if NAMELESS & {part.strip("_") for part in name.parts}] == []


def test_every_folder_of_modules_is_a_package(repository: Path):
    # One without __init__.py can still be imported, but import-linter does not see into it.
    folders = {path.parent.relative_to(repository) for path in sources(repository)}
    assert [str(folder) for folder in sorted(folders) if not (repository / folder / "__init__.py").is_file()] == []


def test_every_module_says_what_it_is(repository: Path):
    silent = [
        path
        for path in sources(repository)
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []
