"""What one of two ranks does in the test of group DRO; apart, so that its process need not import all that the tests do."""

import runpy
from pathlib import Path

import torch
import torch.distributed as dist

SOURCE = Path(__file__).resolve().parents[3] / "medclassify" / "training" / "group_dro.py"
LOSSES = ((1.0,), (2.0,), (0.5,), (4.0,), (3.0,))
KNOWN = ((1.0,), (1.0,), (1.0,), (1.0,), (0.0,))
GROUPS = (0, 1, 1, 0, 2)


def rank(number: int, folder: str) -> None:
    """Takes its share of the five losses, and writes down the gradient and the groups' weights it ends with."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=number, world_size=2)
    own = slice(0, 3) if number == 0 else slice(3, 5)
    losses = torch.tensor(LOSSES)[own].requires_grad_()
    dro = runpy.run_path(str(SOURCE))["GroupDRO"](torch.tensor(GROUPS), ("a", "b", "c"))
    dro(losses, torch.tensor(KNOWN)[own], torch.arange(5)[own]).backward()
    torch.save({"grad": losses.grad, "shares": dro.shares}, f"{folder}/{number}.pt")
    dist.destroy_process_group()
