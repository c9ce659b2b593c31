"""What a number was measured on. Nothing here names the machine or its owner."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import medclassify

COMPARED = (
    "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "statsmodels", "pydicom", "imagecodecs", "opencv-python-headless",
    "python-gdcm", "torch", "timm", "monai", "pytorch-lightning", "grad-cam", "captum", "torchxrayvision",
    "fairlearn", "streamlit",
)  # fmt: skip


def machine() -> dict[str, str | int | float]:
    """Processor, cores, memory, system, and the GPU where there is one."""
    facts: dict[str, str | int | float] = {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }
    return {**facts, "gpu": gpu} if (gpu := _gpu()) else facts


def versions() -> dict[str, str]:
    """Python, medclassify, and whichever compared library is installed."""
    found = {"python": platform.python_version(), "medclassify": medclassify.__version__}
    for name in COMPARED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit(repository: Path) -> str:
    """The commit measured, with `` + changes`` where the sources differ from it; empty outside a git checkout."""
    head = _git(repository, "rev-parse", "HEAD")
    changed = _git(repository, "status", "--porcelain", "--untracked-files=no", "--", "medclassify", "benchmarks/suite")
    return f"{head} + changes" if head and changed else head


def _git(repository: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpu() -> str:
    if not shutil.which("nvidia-smi"):
        return ""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return ", ".join(result.stdout.split("\n")).strip(", ") if result.returncode == 0 else ""
