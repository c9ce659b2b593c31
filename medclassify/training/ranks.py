"""The processes that train together: how many there are, which one this is, and what they say to each other.

All of it is Lightning's: it starts the others itself (``trainer.devices`` alone), or finds itself started by torchrun or by
SLURM's srun. One process is one rank, with one device.
"""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments import SLURMEnvironment
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor

from medclassify.config import TrainerConfig
from medclassify.errors import ConfigError, RunError

_LOST = re.compile(r"gloo|nccl|Connection (closed|reset|refused)|Broken pipe|TCPStore|process group", re.IGNORECASE)


class LostRankError(RunError):
    """Another rank ended or cannot be reached; its own line says why."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Who trains.

    Attributes:
        number: How many ranks there are, over all machines.
        rank: Which of them this process is; 0 leads.
        devices: Lightning's word for the ranks on a machine.
        nodes: Machines.
        started_by: ``torchrun``, ``srun``, or ``fit`` itself.
        address: Host and port on which the ranks meet.
        hosted: Somebody else keeps the meeting point open (torchrun does).
    """

    number: int = 1
    rank: int = 0
    devices: int | str = "auto"
    nodes: int = 1
    started_by: str = "fit"
    address: tuple[str, int] = ("127.0.0.1", 0)
    hosted: bool = False

    @property
    def name(self) -> str:
        return f"rank {self.rank} of {self.number}"


def find_ranks(settings: TrainerConfig) -> Ranks:
    """Reads what torchrun or srun has started, or what the config asks for.

    ``devices: auto`` takes as many as were started, and else one processor or every GPU.

    Raises:
        ConfigError: The machine has not what is asked for, or something else was started than is asked for.
    """
    started_by, started, nodes = _started()
    devices = "auto" if started is None else started
    if settings.devices != "auto":
        devices = settings.devices
    if settings.num_nodes != 1:
        nodes = settings.num_nodes
    try:
        trainer = Trainer(
            **lightning_options(settings, devices, nodes),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        environment = getattr(trainer.strategy, "cluster_environment", None)
        if environment is not None:
            environment.validate_settings(num_devices=trainer.num_devices, num_nodes=trainer.num_nodes)
    except Exception as error:  # Lightning raises several types; all of them speak of these settings
        raise ConfigError(_in_words(error, settings, started_by)) from error
    if environment is None or trainer.world_size == 1:
        return Ranks(devices=devices, started_by=started_by)
    return Ranks(
        number=trainer.world_size,
        rank=trainer.global_rank,
        devices=devices,
        nodes=trainer.num_nodes,
        started_by=started_by,
        address=(environment.main_address, environment.main_port),
        hosted=os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )


def lightning_options(settings: TrainerConfig, devices: int | str, nodes: int, **strategy: Any) -> dict[str, Any]:
    """What a Trainer is told about machines and devices.

    Args:
        settings: The config's.
        devices: On this machine.
        nodes: Machines.
        strategy: Options of PyTorch's DistributedDataParallel; with any, there is more than one rank.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # a run goes on by ``--ckpt_path last``, from the same checkpoint whatever stopped it; Lightning's requeueing keeps another
    plugins = [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
    return {
        "accelerator": settings.accelerator,
        "devices": devices,
        "num_nodes": nodes,
        "strategy": DDPStrategy(**strategy) if strategy else "auto",
        "plugins": plugins,
    }


def gather_once(indices: Tensor, rows: Sequence[Tensor], size: int) -> list[Tensor]:
    """Brings the rows of all ranks together, in the order of their samples.

    Args:
        indices: int64 (n,), which samples this rank has, on the device that ranks talk through.
        rows: Tensors (n, …), what it has of them, on the same device.
        size: N, how many samples all ranks have.

    Returns:
        Tensors (N, …) on the processor, the same on every rank.

    Raises:
        RunError: A sample is missing, or there twice.
    """
    everything = [_gather(part).cpu() for part in (indices, *rows)]
    order = torch.argsort(everything[0])
    found = everything[0][order]
    if len(found) != size or not torch.equal(found, torch.arange(size)):
        twice, missing = len(found) - len(found.unique()), size - len(found.unique())
        raise RunError(f"tune split: of {size} samples {missing} were not scored and {twice} were scored twice. Report this.")
    return [part[order] for part in everything[1:]]


def share_buffers(module: torch.nn.Module) -> None:
    """Gives every rank rank 0's buffers: the running statistics of BatchNorm, which each rank takes of its own images."""
    if _alone():
        return
    for buffer in module.buffers():
        dist.broadcast(buffer, src=0)


def talk_beside() -> dist.ProcessGroup | None:
    """A way for ranks to talk without their GPUs, to be made by all of them together; None where this process is alone."""
    if _alone():
        return None
    return cast(dist.ProcessGroup, dist.group.WORLD if dist.get_backend() == "gloo" else dist.new_group(backend="gloo"))


def any_rank(*flags: bool, talk: dist.ProcessGroup | None) -> tuple[bool, ...]:
    """Whether a flag is set on any rank; the same answer everywhere, and no GPU is waited for.

    Args:
        flags: This rank's.
        talk: As ``talk_beside`` gave it.
    """
    if talk is None:
        return flags
    told = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(told, op=dist.ReduceOp.MAX, group=talk)
    return tuple(bool(flag) for flag in told.tolist())


def average(values: Sequence[float], device: torch.device) -> list[float]:
    """The mean over all ranks of each value; the same answer everywhere."""
    if _alone():
        return list(values)
    told = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(told)
    return (told / dist.get_world_size()).tolist()


def lost_another(error: BaseException) -> bool:
    """Whether this is the talk between ranks breaking off, and not a fault of this rank's own."""
    return isinstance(error, dist.DistError) or bool(_LOST.search(str(error)))


def part() -> None:
    """Ends the talk between ranks, after all of them have come here."""
    if not _alone():
        dist.barrier()
        dist.destroy_process_group()


def _alone() -> bool:
    return not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1


def _gather(rows: Tensor) -> Tensor:
    """Rows of all ranks, one rank after another: shorter shares are padded on the way and cut again."""
    if _alone():
        return rows
    own = torch.tensor([len(rows)], device=rows.device)
    lengths = [torch.zeros_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(lengths, own)
    longest = max(int(length) for length in lengths)
    padded = rows.new_zeros((longest, *rows.shape[1:]))
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(parts, padded)
    return torch.cat([share[: int(length)] for share, length in zip(parts, lengths, strict=True)])


def _started() -> tuple[str, int | None, int]:
    """Who started this process, and how many ranks on how many machines."""
    if dist.is_available() and dist.is_torchelastic_launched():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return "torchrun", here, max(1, int(os.environ["WORLD_SIZE"]) // here)
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return "srun", int(os.environ.get("SLURM_NTASKS_PER_NODE", "1")), nodes
    return "fit", None, 1


def _in_words(error: Exception, settings: TrainerConfig, started_by: str) -> str:
    asked = f"trainer.accelerator {settings.accelerator}, devices {settings.devices}, num_nodes {settings.num_nodes}"
    said = " ".join(str(error).split()).rstrip(".")
    remedy = {
        "torchrun": "Leave trainer.devices and trainer.num_nodes out: torchrun's --nproc-per-node and --nnodes say them",
        "srun": "Leave trainer.devices and trainer.num_nodes out: srun's --ntasks-per-node and --nodes say them",
        "fit": "Set trainer.devices to what this machine has, or leave it out",
    }[started_by]
    return f"{asked}: cannot be had here ({said[:300]}). {remedy}."
