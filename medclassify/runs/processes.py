"""What a program of our own needs to know when it shares its work out among processes."""

import os
from pathlib import Path

import medclassify


def core_count() -> int:
    """Cores this process may run on; where the system cannot say, those there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def started_rank() -> int:
    """Which of the ranks of a fit this process was started as, by torchrun, srun or Lightning; 0 where it is the only one."""
    slurm = "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK") if slurm else ("RANK", "LOCAL_RANK")
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), 0)


def worker_environment() -> dict[str, str]:
    """For a process of our own: it imports this very package, and uses one thread, for there is one process a core."""
    package = str(Path(medclassify.__file__).resolve().parents[1])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
