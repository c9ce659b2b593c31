"""How batches reach a device: one ahead in a thread, or from images that live there; the same batches either way."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from medclassify.data import PreparedDataModule, PreparedDataset
from medclassify.data.ahead import AheadLoader, ahead
from medclassify.data.dataset import whole_batch
from medclassify.data.resident import has_room, make_resident, resident_bytes
from medclassify.records import Preprocessing

FACTS = Preprocessing(16, (0.5,) * 3, (0.5,) * 3, "bilinear", "voi")


def datasets(count: int = 40) -> tuple[PreparedDataset, PreparedDataset]:
    images = np.random.default_rng(0).integers(0, 256, (count + 5, 1, 16, 16), dtype=np.uint8)
    rows = np.random.default_rng(1).permutation(count + 5)[:count]
    targets, known = (rows % 2)[:, None].astype(float), np.ones((count, 1), bool)
    cut = count * 3 // 4
    return tuple(PreparedDataset(images, rows[part], targets[part], known[part]) for part in (slice(cut), slice(cut, None)))  # type: ignore[return-value]


def module(**options) -> PreparedDataModule:
    return PreparedDataModule(*datasets(), FACTS, batch_size=8, num_workers=0, augment=0.5, seed=3, **options)


def test_ahead_keeps_values_and_order_and_is_one_ahead() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    values = ahead(source())
    assert next(values) == 0
    deadline = time.monotonic() + 10
    while len(made) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert made == [0, 1]  # the next one, and no more
    assert list(values) == [1, 2, 3, 4]


def test_an_error_comes_out_where_its_value_would_have() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("disk is gone")

    values = ahead(source())
    assert next(values) == 1
    with pytest.raises(OSError, match="disk is gone"):
        next(values)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    values = ahead(iter(range(100)))
    next(values)
    assert threading.active_count() == before + 1
    values.close()
    assert threading.active_count() == before


def test_the_loader_that_is_ahead_serves_what_the_plain_one_does() -> None:
    train, _ = datasets()
    options = {"batch_size": 8, "collate_fn": whole_batch}
    plain, early = torch.utils.data.DataLoader(train, **options), AheadLoader(train, **options)
    assert len(early) == len(plain) == 4
    for _ in range(2):  # every epoch anew
        pairs = list(zip(plain, early, strict=True))
        assert len(pairs) == 4 and all(torch.equal(a[name], b[name]) for a, b in pairs for name in a)


def test_images_on_the_device_make_the_same_batches() -> None:
    streamed, resident = module(), module()
    resident.keep_on(torch.device("cpu"))
    for which in ("train_dataloader", "val_dataloader"):
        for epoch in (0, 1):
            for one in (streamed, resident):
                one.seed_epoch(epoch)
            for plain, placed in zip(getattr(streamed, which)(), getattr(resident, which)(), strict=True):
                assert "image" not in placed and placed["place"].dtype == torch.int64
                a, b = (m.on_after_batch_transfer(batch, 0) for m, batch in ((streamed, plain), (resident, placed)))
                assert torch.equal(a["image"], b["image"]) and torch.equal(a["target"], b["target"])
    resident.teardown("fit")
    assert "image" in next(iter(resident.train_dataloader()))


def test_each_row_is_copied_once_wherever_it_stands() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3000, 1, 4, 4), dtype=np.uint8)
    rows = np.array([2999, 5, 5, 1500, 0])
    held = make_resident(images, rows, torch.device("cpu"))
    assert len(held.images) == 4
    assert torch.equal(held.take(held.places(rows)), torch.from_numpy(images[rows]))
    many = make_resident(images, np.arange(3000), torch.device("cpu"))  # more than one chunk
    assert torch.equal(many.images, torch.from_numpy(images))


def test_images_get_a_quarter_of_what_is_free() -> None:
    images = np.zeros((1, 1, 256, 256), np.uint8)
    needed = resident_bytes(images, np.zeros(100_000, np.int64))
    assert needed == 100_000 * 65_536
    assert has_room(needed, 4 * needed) and not has_room(needed + 1, 4 * needed)


@pytest.mark.gpu
@pytest.mark.parametrize("free", [0, 1 << 40])
def test_a_gpu_is_fed_either_way_and_says_which(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytorch_lightning import LightningModule, Trainer

    class Sees(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.seen = torch.nn.Parameter(torch.ones(1)), 0.0

        def training_step(self, batch, batch_idx):
            self.seen += float(batch["image"].double().sum())
            return (batch["image"] * self.scale).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0)

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, free))
    said: list[str] = []
    data = PreparedDataModule(*datasets(), FACTS, batch_size=8, num_workers=0, augment=0, seed=3, say=said.append)
    sees = Sees()
    Trainer(
        max_epochs=1, accelerator="gpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
    ).fit(sees, datamodule=data)  # fmt: skip
    assert len(said) == 1 and ("kept on the GPU" if free else "streamed") in said[0]
    plain = module()
    plain.seed_epoch(0)
    expected = sum(float(plain.on_after_batch_transfer(b, 0)["image"].double().sum()) for b in plain.train_dataloader())
    assert sees.seen == pytest.approx(expected, rel=1e-5)
