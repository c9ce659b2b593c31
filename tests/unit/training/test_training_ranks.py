"""Several ranks give what one gives: every tune sample scored once, the same figures for the same weights; what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rank_program
import torch

from medclassify.config import TrainerConfig
from medclassify.data import to_network_input
from medclassify.errors import ConfigError, RunError
from medclassify.training import find_ranks
from medclassify.training.classifier import Classifier, macro_auroc
from medclassify.training.loss import losses_of, mean_of_known
from medclassify.training.ranks import gather_once


@pytest.mark.parametrize("count", [21, 1])
def test_two_ranks_score_as_one_does_with_fewer_samples_than_ranks_too(count: int, tmp_path: Path) -> None:
    program = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", rank_program.__file__]
    repository = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, *program, str(tmp_path), str(count)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": repository},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
    row = _history(kept)[-1]
    assert kept["ranks"] == 2 and row["epoch"] == 1
    loss, score = _scored_alone(kept["state_dict"], count)
    assert row["tune_loss"] == pytest.approx(loss, abs=1e-6)
    assert row.get("tune_auroc") == (None if score is None else pytest.approx(score, abs=1e-6))


def _history(checkpoint: dict) -> list[dict]:
    return next(state["rows"] for name, state in checkpoint["callbacks"].items() if name.startswith("History"))


def _scored_alone(state: dict, count: int) -> tuple[float, float | None]:
    network = rank_program.create_network("test_efficientnet", 2)
    settings = rank_program.OptimizerConfig()
    classifier = Classifier(network, rank_program.FINDINGS, "multilabel", settings, torch.ones(2)).eval()
    classifier.load_state_dict(state)
    batch = rank_program.tune_set(count).__getitems__(range(count))
    with torch.no_grad():
        logits = classifier(to_network_input(batch["image"], rank_program.PREPROCESSING)).double()
    losses = losses_of("multilabel", "cross_entropy")(
        logits, batch["target"].double(), batch["mask"], torch.ones(2).double(), 0
    )
    known = batch["mask"].numpy() > 0
    return float(mean_of_known(*losses)), macro_auroc(logits.numpy(), batch["target"].double().numpy(), known)


def test_samples_that_are_missing_or_scored_twice_are_told() -> None:
    rows = torch.arange(3.0)[:, None]
    ordered, *_ = gather_once(torch.tensor([2, 0, 1]), [rows], 3)
    assert ordered.ravel().tolist() == [1, 2, 0]
    with pytest.raises(RunError, match="of 3 samples 1 were not scored and 1 were scored twice"):
        gather_once(torch.tensor([2, 0, 0]), [rows], 3)
    with pytest.raises(RunError, match="of 3 samples 1 were not scored and 0 were scored twice"):
        gather_once(torch.tensor([2, 0]), [rows[:2]], 3)
    with pytest.raises(RunError, match="of 3 samples 0 were not scored and 1 were scored twice"):
        gather_once(torch.tensor([2, 0, 1, 1]), [torch.arange(4.0)], 3)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (TrainerConfig(accelerator="cpu", devices=-1), "should be an int > 0"),
        (TrainerConfig(accelerator="cpu", devices="many"), "should be an int > 0"),
        (TrainerConfig(accelerator="quantum"), "invalid accelerator name"),
        (TrainerConfig(accelerator="cpu", num_nodes=0), "must be a positive integer"),
    ],
)
def test_devices_that_are_not_there_are_refused_with_a_remedy(settings: TrainerConfig, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_ranks(settings)
    assert part in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).endswith("Set trainer.devices to what this machine has, or leave it out.")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for what a machine without a GPU has not")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"trainer.accelerator gpu, devices 2, .* cannot be had here"):
        find_ranks(TrainerConfig(accelerator="gpu", devices=2))


def test_ranks_are_what_torchrun_or_srun_started(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = find_ranks(TrainerConfig(accelerator="cpu"))
    assert (alone.number, alone.rank, alone.started_by) == (1, 0, "fit")
    two = find_ranks(TrainerConfig(accelerator="cpu", devices=2))
    assert (two.number, two.rank, two.started_by) == (2, 0, "fit")
    torchrun = {"TORCHELASTIC_RUN_ID": "none", "RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1", "WORLD_SIZE": "4"}
    for name, value in {**torchrun, "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511"}.items():
        monkeypatch.setenv(name, value)
    started = find_ranks(TrainerConfig(accelerator="cpu"))
    assert (started.number, started.rank, started.nodes, started.address) == (4, 3, 2, ("127.0.0.1", 29511))
    with pytest.raises(ConfigError, match=r"does not match the world size.*torchrun's --nproc-per-node"):
        find_ranks(TrainerConfig(accelerator="cpu", devices=3))
    for name in (*torchrun, "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name)
    job = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "NNODES": "1", "PROCID": "1", "LOCALID": "1", "NODEID": "0", "JOB_ID": "77"}
    for name, value in {**job, "JOB_NAME": "fit", "NODELIST": "node[3-4]"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    started = find_ranks(TrainerConfig(accelerator="cpu"))
    assert (started.number, started.rank, started.started_by, started.address) == (2, 1, "srun", ("node3", 15077))
    with pytest.raises(ConfigError, match=r"ntasks-per-node.*srun's --ntasks-per-node"):
        find_ranks(TrainerConfig(accelerator="cpu", devices=4))


def test_too_few_images_for_the_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_program, "find_ranks", lambda settings: find_ranks(TrainerConfig(accelerator="cpu", devices=30)))
    with pytest.raises(RunError, match=r"49 train images for 30 ranks: each needs two a step. Start at most 24."):
        rank_program.train(tmp_path)
