"""Several ranks as a user starts them: by fit itself, torchrun on one machine or two, SLURM; stopped, killed, left alone.

Each test has a time-out around every process: ranks that wait for each other would wait for ever.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch
from outcomes import one_line

SECONDS = 400
pytestmark = pytest.mark.timeout(4 * SECONDS)
OFTEN = """
import sys
from datetime import timedelta
from medclassify.training import safekeeping
from medclassify.cli import main
safekeeping.SAVE_EVERY = timedelta(0)
sys.exit(main())
"""
FIT = ("-m", "medclassify", "fit")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
LONG = ("--trainer.max_epochs", "60", "--optimizer.patience", "99", "--data.batch_size", "2")


def start(words: tuple, state: Mapping[str, str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**state, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    try:
        out, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def figures(run: Path) -> dict:
    """What must be the same whoever started the ranks: test figures, and the course of training without its seconds."""
    metrics = json.loads((run / "metrics.json").read_text())
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "step_share")} for row in metrics["training"]["history"]]
    return {"estimates": metrics["estimates"], "rows": rows}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")["state_dict"]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def slurm(rank: int, port: str) -> dict[str, str]:
    """The variables of one task of ``srun --ntasks-per-node=2``."""
    job = {"NTASKS": 2, "NTASKS_PER_NODE": 2, "NNODES": 1, "PROCID": rank, "LOCALID": rank, "NODEID": 0, "JOB_ID": 4711}
    named = {"JOB_NAME": "fit", "NODELIST": "127.0.0.1"}
    return {f"SLURM_{name}": str(value) for name, value in {**job, **named}.items()} | {"MASTER_PORT": port}


def test_the_job_script_of_the_docs_is_one(repository: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (repository / "docs" / "scale.md").read_text(encoding="utf-8"), re.DOTALL)
    script = next(block for block in blocks if block.startswith("#!/bin/bash"))
    parsed = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=30, check=False)
    assert parsed.returncode == 0 and not parsed.stderr, parsed.stderr
    assert "#SBATCH --ntasks-per-node" in script and "srun " in script


@pytest.fixture(scope="module")
def two(state, small_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two ranks that fit started itself."""
    folder = tmp_path_factory.mktemp("two")
    words = (*FIT, small_config, "--run_dir", "run", "--trainer.devices", "2", "--trainer.strategy", "ddp")
    done = finish(start((*words, "--data.batch_size", "8"), state, folder))
    assert done.returncode == 0, done.stderr
    assert "ranks: 2 on one machine, 8 images each, 16 a step" in done.stdout
    assert json.loads((folder / "run" / "provenance.json").read_text())["ranks"] == 2
    assert done.stdout.count("kept epoch") == 1 and done.stdout.count("wrote run") == 1 and "rank 1" not in done.stderr
    return folder / "run"


@pytest.mark.slow
def test_torchrun_gives_what_fit_gives(two: Path, state, small_config: Path, tmp_path: Path) -> None:
    words = (*TORCHRUN, "--standalone", *FIT, small_config, "--run_dir", "run", "--data.batch_size", "8")
    done = finish(start(words, state, tmp_path))
    assert done.returncode == 0, done.stderr
    assert figures(tmp_path / "run") == figures(two)
    assert len(list(tmp_path.iterdir())) == 1, "one run directory, whoever named it"


@pytest.mark.slow
def test_srun_gives_what_fit_gives(two: Path, state, small_config: Path, tmp_path: Path) -> None:
    port, words = free_port(), (*FIT, small_config, "--run_dir", "run", "--data.batch_size", "8")
    tasks = [finish(task) for task in [start(words, state, tmp_path, **slurm(rank, port)) for rank in (0, 1)]]
    assert [task.returncode for task in tasks] == [0, 0], tasks
    assert figures(tmp_path / "run") == figures(two)
    assert tasks[1].stdout == "" and "medclassify" not in tasks[1].stderr


@pytest.mark.slow
def test_a_job_of_one_task_is_one_rank(fitted, state, small_config: Path, tmp_path: Path) -> None:
    job = {**slurm(0, free_port()), "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"}
    done = finish(start((*FIT, small_config, "--run_dir", "run"), state, tmp_path, **job))
    assert done.returncode == 0, done.stderr
    assert figures(tmp_path / "run") == figures(fitted[0]) and "ranks:" not in done.stdout


def agents(config: Path, address: str, prefixes: tuple[tuple, tuple], state, folder: Path) -> list[subprocess.Popen[str]]:
    """torchrun on two machines, one rank each."""
    port, started = free_port(), []
    for node, (prefix, variables) in enumerate(prefixes):
        words = ("--nnodes", "2", "--nproc-per-node", "1", "--node_rank", node, "--master_addr", address, "--master_port", port)
        command = (*prefix, sys.executable, "-m", "torch.distributed.run", *words, *FIT, config, "--run_dir", folder / "run")
        command = [*map(str, command), "--data.batch_size", "8"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**state, **variables}
        started.append(subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **pipes))
    return started


@pytest.mark.slow
def test_two_machines_on_loopback(two: Path, state, small_config: Path, tmp_path: Path) -> None:
    local: dict[str, str] = {}
    done = [finish(agent) for agent in agents(small_config, "127.0.0.1", (((), local), ((), local)), state, tmp_path)]
    assert [agent.returncode for agent in done] == [0, 0], done
    assert "ranks: 2 on 2 machines" in done[0].stdout and done[1].stdout == ""
    assert figures(tmp_path / "run") == figures(two)


@contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them: 10.231.0.1 and 10.231.0.2."""
    names = (f"mc{os.getpid()}a", f"mc{os.getpid()}b")

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)

    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", "cable0", "netns", names[0], "type", "veth", "peer", "name", "cable1", "netns", names[1])
        for number, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.231.0.{number + 1}/24", "dev", f"cable{number}")
            ip("-n", name, "link", "set", f"cable{number}", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)


@pytest.mark.slow
def test_two_machines_on_a_network(two: Path, state, small_config: Path, tmp_path: Path) -> None:
    try:
        context = namespaces()
        names = context.__enter__()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"network namespaces need root and iproute2 ({error})")
    try:
        prefixes = tuple(
            (("ip", "netns", "exec", name), {"GLOO_SOCKET_IFNAME": f"cable{number}"}) for number, name in enumerate(names)
        )
        done = [finish(agent) for agent in agents(small_config, "10.231.0.1", prefixes, state, tmp_path)]
        assert [agent.returncode for agent in done] == [0, 0], done
        assert figures(tmp_path / "run") == figures(two)
    finally:
        context.__exit__(None, None, None)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_killed_within_an_epoch_ends_as_an_unbroken_one(ranks: int, state, small_config: Path, tmp_path: Path) -> None:
    program = tmp_path / "often.py"
    program.write_text(OFTEN)
    size = ("--data.batch_size", str(8 // ranks), "--trainer.devices", str(ranks), "--trainer.max_epochs", "3")

    def words(run: str, *more: str) -> tuple:
        return (program, "fit", small_config, "--run_dir", run, *size, *more)

    assert finish(start(words("unbroken"), state, tmp_path)).returncode == 0
    step = random.randint(13, 30)  # somewhere in the second or third epoch of eleven or twelve steps
    process = start(words("killed"), state, tmp_path)
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    end = time.monotonic() + SECONDS
    while not last.is_file() or torch.load(last, weights_only=True, map_location="cpu")["global_step"] < step:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "provenance.json").exists()
    resumed = finish(start(words("killed", "--ckpt_path", "last"), state, tmp_path))
    assert resumed.returncode == 0, resumed.stderr
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "unbroken")
    tolerance = 0.0 if ranks == 1 else 1e-6
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=tolerance, msg=f"{name}, killed at step {step}")
    tables = [pd.read_parquet(tmp_path / run / "predictions.parquet") for run in ("killed", "unbroken")]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=1e-6)
    assert not list(tmp_path.rglob("*.part*"))


def trained_some(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 1/" in line:
            time.sleep(0.3)
            return
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
@pytest.mark.parametrize("starter", [(), (*TORCHRUN, "--standalone")], ids=["fit", "torchrun"])
def test_preemption_saves_and_the_run_goes_on(starter: tuple, state, small_config: Path, tmp_path: Path) -> None:
    devices = () if starter else ("--trainer.devices", "2")
    process = start((*starter, *FIT, small_config, "--run_dir", "run", *LONG, *devices), state, tmp_path)
    trained_some(process)
    process.terminate()
    stopped = finish(process)
    assert stopped.returncode == 1
    line = next(line for line in stopped.stderr.splitlines() if line.startswith("medclassify: "))
    assert re.search(r"stopped while training\. What was done is kept in run\. Go on with: .*--ckpt_path last", line)
    state_of = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
    epoch = state_of["loops"]["fit_loop"]["epoch_progress"]["current"]
    assert epoch["started"] > epoch["processed"], "saved within an epoch"
    if starter:
        alone = finish(start((*FIT, "run/config.yaml", "--ckpt_path", "last"), state, tmp_path))
        one_line(alone, "2 ranks trained it and 1 would go on", "Start 2")
    end = str(state_of["epoch"] + 1)
    more = ("--ckpt_path", "last", "--trainer.max_epochs", end)
    resumed = finish(start((*starter, *FIT, "run/config.yaml", *more), state, tmp_path))
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.slow
def test_a_rank_that_is_lost_ends_the_others_with_a_line(state, small_config: Path, tmp_path: Path) -> None:
    words = (*TORCHRUN, "--standalone", *FIT, small_config, "--run_dir", "run", *LONG)
    process = start(words, state, tmp_path)
    trained_some(process)
    os.kill(_rank(process.pid, 1), signal.SIGKILL)
    done = finish(process)
    line = _said(done)
    assert "another rank is gone while training" in line and "What was done is kept in run. Go on with: " in line


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that all ranks together have said; torchrun tells its own about a rank that failed, with a traceback."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("medclassify: ")]
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    assert "/medclassify/" not in done.stderr, done.stderr  # a traceback of ours
    return lines[0]


def _rank(launcher: int, number: int) -> int:
    """The process that the launcher started as this rank."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    wanted = f"RANK={number}".encode()
    return next(int(child) for child in children if wanted in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--trainer.max_epoch", "3"), ("did you mean --trainer.max_epochs?",)),
        (("--data.source", "nowhere"), ("data.source nowhere: no such file or folder",)),
        (("--data.attributes", "[race]"), ("'race' is not a column of the manifest",)),
        (("--trainer.devices", "3"), ("does not match the world size (2)", "torchrun's --nproc-per-node")),
    ],
)
def test_what_stops_one_rank_stops_all_with_one_line(words: tuple, parts: tuple, state, small_config, tmp_path: Path) -> None:
    done = finish(start((*TORCHRUN, "--standalone", *FIT, small_config, *words), state, tmp_path))
    line = _said(done)
    assert all(part in line for part in parts), line
