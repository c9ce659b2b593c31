"""Draws the next batch while the network works on this one."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader

T = TypeVar("T")
_END: Any = object()


class AheadLoader(DataLoader):
    """A loader without worker processes that is one batch ahead of who asks, in a thread.

    Taking rows of a memory-mapped array and copying them to pinned memory leave Python's lock alone, so they go on while the
    host sends a GPU its work; a worker process would cost more than it saves (pickling megabytes a batch).
    """

    def __iter__(self) -> Generator[Any, None, None]:  # type: ignore[override]
        return ahead(super().__iter__())


def ahead(batches: Iterator[T]) -> Generator[T, None, None]:
    """The same values in the same order; one is always being made. An error comes out where its value would have.

    Args:
        batches: Asked from one thread alone.

    Yields:
        Each value.
    """
    device = torch.cuda.current_device() if torch.cuda.is_initialized() else None

    def on_this_device() -> None:
        if device is not None:  # a thread starts on device 0, and pinned memory belongs to a device
            torch.cuda.set_device(device)

    with ThreadPoolExecutor(1, "batches", initializer=on_this_device) as thread:
        waiting = thread.submit(next, batches, _END)
        while (batch := waiting.result()) is not _END:
            waiting = thread.submit(next, batches, _END)
            yield batch
