"""Which slices of a series speak for a finding: gated attention (Ilse, Tomczak & Welling 2018, section 2.4, formula 9).

Every finding weighs the slices for itself: a bleeding of one kind lies elsewhere than one of another. The logit of a series is
the weighted mean of its slices' logits, which the network's own linear head gives. So a slice's weight times its logit is its
share of the series' logit, and what Grad-CAM says within a slice is in the same units.

Beside the gate a slice's own logit speaks for it, so that attention starts where slices look positive (a smooth maximum) and
not anywhere; how much that counts is learnt.
"""

from typing import Literal

import torch
from torch import Tensor, nn

HIDDEN = 128
_CONTEXT = 64


class GatedAttention(nn.Module):
    """Weighs the slices of series.

    Args:
        features: D, of a slice's embedding.
        findings: K.
        sequence: ``gru`` lets a slice's weight depend on the slices below and above it too, by a small recurrent layer that
            reads the stack both ways; what a slice shows, its logit, stays its own.
    """

    def __init__(self, features: int, findings: int, sequence: Literal["none", "gru"] = "none") -> None:
        super().__init__()
        self.sequence: Literal["none", "gru"] = sequence
        self.norm = nn.LayerNorm(features)
        width = 2 * _CONTEXT if sequence == "gru" else features
        self.context = nn.GRU(features, _CONTEXT, batch_first=True, bidirectional=True) if sequence == "gru" else None
        self.content, self.gate = nn.Linear(width, HIDDEN), nn.Linear(width, HIDDEN)
        self.weigh = nn.Linear(HIDDEN, findings)
        self.own = nn.Parameter(torch.ones(findings))
        nn.init.zeros_(self.weigh.weight)

    def forward(self, embeddings: Tensor, logits: Tensor, present: Tensor) -> Tensor:
        """Weights of slices.

        Args:
            embeddings: float32 (B, L, D); what lies beyond the end of a shorter series is not looked at.
            logits: float32 (B, L, K), of the slices; gradients do not go through them to what made them.
            present: bool (B, L), True where there is a slice; the slices of a series stand first, and there is at least one.

        Returns:
            float32 (B, K, L): each finding's weights of a series, 0 beyond its end, add up to 1.
        """
        features = self.norm(embeddings)
        if self.context is not None:
            packed = nn.utils.rnn.pack_padded_sequence(
                features, present.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
            )
            features, _ = nn.utils.rnn.pad_packed_sequence(
                self.context(packed)[0], batch_first=True, total_length=present.shape[1]
            )
        scores = self.weigh(torch.tanh(self.content(features)) * torch.sigmoid(self.gate(features)))
        scores = scores + self.own * logits.detach()
        return scores.masked_fill(~present[..., None], -torch.inf).softmax(dim=1).transpose(1, 2)


def series_logits(attention: Tensor, slice_logits: Tensor) -> Tensor:
    """Logits of series (B, K): weights (B, K, L) by the logits of slices (B, L, K), which are finite beyond the end too."""
    return torch.einsum("bkl,blk->bk", attention, slice_logits)
