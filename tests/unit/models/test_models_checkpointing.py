"""The same gradients and statistics from far less memory."""

import pytest
import torch
from timm.models.efficientnet import EfficientNet

from medclassify.models import create_network


def pair(backbone: str = "test_efficientnet", **options) -> tuple[EfficientNet, EfficientNet]:
    """Two equal networks, the second one with checkpointing, learning."""
    networks = []
    for on in (False, True):
        torch.manual_seed(0)
        networks.append(create_network(backbone, 2, drop_path_rate=0.3, grad_checkpointing=on, **options).train())
    return networks[0], networks[1]


def step(network: EfficientNet, side: int = 64) -> torch.Tensor:
    torch.manual_seed(1)
    images = torch.randn(4, 3, side, side)
    loss = network(images).square().mean()
    loss.backward()
    return loss.detach()


def assert_equal(plain: EfficientNet, checkpointed: EfficientNet) -> None:
    for (name, first), second in zip(plain.named_parameters(), checkpointed.parameters(), strict=True):
        assert (first.grad is None) == (second.grad is None), name
        if first.grad is not None:
            torch.testing.assert_close(second.grad, first.grad, rtol=1e-6, atol=1e-6, msg=name)
    for (name, first), second in zip(plain.named_buffers(), checkpointed.buffers(), strict=True):
        assert torch.equal(first, second), name  # statistics moved once, not twice


@pytest.mark.parametrize("drop_rate", [0.0, 0.5])
def test_gradients_and_running_statistics_are_the_same(drop_rate: float) -> None:
    plain, checkpointed = pair(drop_rate=drop_rate)
    for _ in range(2):
        assert torch.equal(step(plain), step(checkpointed))
    assert_equal(plain, checkpointed)
    assert list(plain.state_dict()) == list(checkpointed.state_dict())


def test_timms_own_way_would_move_the_statistics_twice() -> None:
    """The reason for ours; when this fails, timm has mended it and ours can go."""
    plain, timms = pair()
    timms.__class__ = EfficientNet
    timms.set_grad_checkpointing()
    step(plain), step(timms)
    assert int(plain.blocks[0][0].bn1.num_batches_tracked) == 1
    assert int(timms.blocks[0][0].bn1.num_batches_tracked) == 2


@pytest.mark.parametrize("still", [1, 3, 6])
def test_stages_that_do_not_learn_may_lie_below(still: int) -> None:
    networks = pair()
    for network in networks:
        stages = [network.conv_stem, network.bn1, *network.blocks]
        for stage in stages[: still + 1]:
            stage.requires_grad_(False)
            stage.eval()
        step(network)
    assert_equal(*networks)
    assert networks[1].classifier.weight.grad is not None


def test_nothing_changes_outside_training() -> None:
    plain, checkpointed = pair()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(plain.eval()(images), checkpointed.eval()(images))
    before = {name: value.clone() for name, value in checkpointed.named_buffers()}
    assert all(torch.equal(before[name], value) for name, value in plain.named_buffers())


def saved_bytes(work) -> int:
    """Bytes that autograd keeps while ``work`` runs, each storage once."""
    held: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = work()  # kept until the count is done, so that no address is used twice
        del result
    return sum(held.values())


def test_far_less_is_kept() -> None:
    """Largest memory of a step: what stays outside the blocks, every block's input, and one block computed again."""
    plain, checkpointed = pair("tf_efficientnetv2_b0")
    images = torch.randn(4, 3, 96, 96)
    weights = sum(parameter.numel() * 4 for parameter in plain.parameters())
    everything = saved_bytes(lambda: plain(images)) - weights
    inputs: list[torch.Tensor] = []
    blocks = [block for stage in checkpointed.blocks for block in stage.children()]
    for block in blocks:
        block.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach()))
    outside = saved_bytes(lambda: checkpointed(images))
    outside -= sum(p.numel() * 4 for name, p in checkpointed.named_parameters() if not name.startswith("blocks."))
    given = list(zip(blocks, inputs, strict=True))
    again = max(saved_bytes(lambda b=block, x=x: b(x.requires_grad_())) for block, x in given)
    peak = outside + sum(x.numel() * 4 for _, x in given) + again
    print(f"{everything / 2**20:.1f} MiB kept without, {peak / 2**20:.1f} MiB with")
    assert peak < 0.4 * everything
