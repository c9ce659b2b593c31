"""What a worker refuses, and what is said when there is no cluster; the cluster itself stands in tests/workflows."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import medclassify
from medclassify.errors import RunError, StorageError
from medclassify.manifest import PatientHasher
from medclassify.workflows.cluster import connect
from medclassify.workflows.cluster_tasks import SHARED, Order, raise_error, work


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / SHARED).write_text("token")
    facts = {"key_file": str(tmp_path / "key"), "fingerprint": PatientHasher(tmp_path / "key").fingerprint}
    paths = (str(tmp_path / "gone.dcm"),)
    return Order("headers", 3, paths, tmp_path, "token", medclassify.__version__, facts)


def test_a_worker_answers_with_what_it_could_not_read(order: Order) -> None:
    answer = work(order)
    raise_error(answer)
    assert [failure[0] for failure in answer["failed"]] == list(order.paths)
    assert not order.marks.exists()


def test_a_worker_that_sees_another_folder_refuses(order: Order) -> None:
    for wrong in (replace(order, token="other"), replace(order, folder=order.folder / "not there")):
        with pytest.raises(StorageError, match="does not see .* as this machine does. Put it on a file system"):
            raise_error(work(wrong))


def test_a_worker_of_another_version_refuses(order: Order) -> None:
    with pytest.raises(RunError, match=rf"has medclassify {medclassify.__version__}, this machine 0.0.1. Install the same"):
        raise_error(work(replace(order, version="0.0.1")))


def test_a_worker_makes_no_key_and_takes_no_other(order: Order, tmp_path: Path) -> None:
    none = replace(order, facts={**order.facts, "key_file": str(tmp_path / "none")})
    with pytest.raises(RunError, match="has no patient key at .*none. Put the key where"):
        raise_error(work(none))
    assert not (tmp_path / "none").exists()
    PatientHasher(tmp_path / "second")
    with pytest.raises(RunError, match="has another patient key"):
        raise_error(work(replace(order, facts={**order.facts, "key_file": str(tmp_path / "second")})))


def test_a_fault_of_the_program_names_its_place_and_quotes_nothing(order: Order) -> None:
    answer = work(replace(order, kind="prepare", facts={"preprocessing": {"CANARY": 1}}))
    assert answer["error"] == "RunError" and "prepare failed (TypeError at cluster_tasks.py:" in answer["message"]
    assert "CANARY" not in answer["message"]


def test_nobody_at_the_address_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("medclassify.workflows.cluster._CONNECT_S", 0.5)
    with (
        pytest.raises(RunError, match=r"--scheduler tcp://127.0.0.1:9: no Dask scheduler answers. Start one: dask scheduler"),
        connect("tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask_the_remedy_is_told() -> None:
    program = """
import sys
sys.modules["distributed"] = None
from medclassify.errors import ConfigError
from medclassify.workflows.cluster import connect
try:
    with connect("tcp://127.0.0.1:9"):
        pass
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "--scheduler needs Dask. Install it: pip install 'medclassify[cluster]'\n"
