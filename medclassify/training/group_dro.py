"""Group DRO: subgroups that the network does badly on weigh more, step by step."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

# Sagawa et al. (ICLR 2020, "Distributionally robust neural networks for group shifts"): eta_q of their experiments.
STEP_SIZE = 0.01


class GroupDRO(nn.Module):
    """Exponentiated weights of subgroups (Sagawa et al. 2020, algorithm 1), kept in the checkpoint.

    At each step a group's weight grows by ``exp(STEP_SIZE * its mean loss)``, then all are scaled to add up to 1; the loss is
    the weighted sum of the groups' means. A group without a known label in the step keeps its weight and adds nothing. Where
    several ranks train, the means are over all of them, so every rank holds the same weights.

    Args:
        groups: int64 (N,), the subgroup of each sample of the train split, from 0.
        levels: G names.
    """

    def __init__(self, groups: Tensor, levels: tuple[str, ...]) -> None:
        super().__init__()
        self.levels = levels
        self.groups: Tensor
        self.shares: Tensor
        self.register_buffer("groups", groups, persistent=False)
        self.register_buffer("shares", torch.full((len(levels),), 1 / len(levels)))

    def forward(self, losses: Tensor, known: Tensor, index: Tensor) -> Tensor:
        """Moves the weights, and weighs the losses by them.

        Args:
            losses: (B, L).
            known: (B, L), 1 where a loss counts.
            index: int64 (B,), which samples of the train split these are.

        Returns:
            A scalar, whose gradient averaged over ranks is that of the weighted sum of group means.
        """
        member = F.one_hot(self.groups[index], len(self.levels)).to(losses.dtype)
        own = member.T @ (losses * known).sum(dim=1)
        everywhere, ranks = _over_ranks(torch.stack([own.detach(), member.T @ known.sum(dim=1)]))
        sums, counts = everywhere[0], everywhere[1].clamp(min=1)
        with torch.no_grad():
            grown = self.shares * torch.exp(STEP_SIZE * sums / counts)
            self.shares.copy_(grown / grown.sum())
        return ranks * (self.shares.clone() * own / counts).sum()

    def weights(self) -> dict[str, Tensor]:
        """The weight of each subgroup, by name: what the history shows as ``weight_<subgroup>``."""
        return {f"weight_{level}": share for level, share in zip(self.levels, self.shares, strict=True)}


def _over_ranks(values: Tensor) -> tuple[Tensor, int]:
    if not (dist.is_available() and dist.is_initialized()):
        return values, 1
    dist.all_reduce(values)
    return values, dist.get_world_size()
