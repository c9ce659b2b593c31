"""Work for many machines: a Dask cluster that somebody else has started is handed pieces, a few at a time.

Pieces are files in a folder that all machines share, so that neither a worker nor this process takes finished work with it.
"""

import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medclassify
from medclassify.errors import ConfigError, RunError
from medclassify.workflows.cluster_tasks import SHARED, Order, raise_error, work
from medclassify.workflows.console import say, warn

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_S = 20.0
_LOOK_S = 5.0
_NOBODY_S = 600.0
"""How long to wait for a worker before giving up."""
_DEALT_AGAIN = 20  # times a piece may lose its workers: each time takes up to two fatal files out of it


class Cluster:
    """A connection to a Dask scheduler.

    Args:
        client: Dask's own.
        address: What the person called it.
    """

    def __init__(self, client: "Client", address: str) -> None:
        self._client, self.address = client, address
        self._run = uuid.uuid4().hex[:8]

    @property
    def start_worker(self) -> str:
        """What starts a worker."""
        return f"dask worker {'--scheduler-file ' * Path(self.address).is_file()}{self.address}"

    def threads(self) -> int:
        """Threads of all workers that are there now."""
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception as error:  # what Dask raises here depends on how the scheduler went
            raise self._gone() from error
        return sum(worker["nthreads"] for worker in workers.values())

    def answers(
        self, kind: str, folder: Path, parts: Sequence[tuple[int, Sequence[str], dict[str, Any]]]
    ) -> Generator[Any, None, None]:
        """Has pieces of work done, and passes over none.

        Args:
            kind: A name in ``cluster_tasks.TASKS``.
            folder: Shared by all machines.
            parts: Number, paths and facts of each piece.

        Yields:
            The answers, in the order of the parts. What is held meanwhile is a few orders and answers.

        Raises:
            MedclassifyError: What a worker told; or no worker comes, or the scheduler is gone.
        """
        token = uuid.uuid4().hex
        folder.mkdir(parents=True, exist_ok=True)
        shared = folder / SHARED
        if shared.exists():
            token = shared.read_text(encoding="ascii")
        else:
            shared.write_text(token, encoding="ascii")
        orders = [
            (kind, number, paths, folder.absolute(), token, medclassify.__version__, facts) for number, paths, facts in parts
        ]
        yield from self._deal(orders)

    def _deal(self, orders: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        going: dict[Future, int] = {}
        tries, ready, given, wanted = [0] * len(orders), {}, 0, 0
        alone_since = time.monotonic()
        try:
            while wanted < len(orders):
                room = max(4, 2 * self.threads())
                while given < len(orders) and len(going) < room and given < wanted + 4 * room:
                    going[self._submit(orders[given], 0)] = given
                    given += 1
                for future in self._finished(list(going)):
                    number = going.pop(future)
                    if (answer := self._answer(future)) is not None:
                        raise_error(answer)
                        ready[number] = answer
                        continue
                    tries[number] += 1
                    if tries[number] > _DEALT_AGAIN:
                        raise RunError(
                            f"a piece of {orders[number][0]} lost its worker again and again. See the workers' logs."
                        )
                    going[self._submit(orders[number], tries[number])] = number
                alone_since = self._tell_if_alone(alone_since)
                while wanted in ready:
                    yield ready.pop(wanted)
                    wanted += 1
        finally:
            with suppress(Exception):  # of a scheduler that is gone
                self._client.cancel(list(going), force=True)

    def _submit(self, order: tuple[Any, ...], attempt: int) -> "Future":
        kind, number, paths, *rest = order
        key = f"medclassify-{kind}-{self._run}-{uuid.uuid4().hex[:8]}-{number}-{attempt}"
        return self._client.submit(work, Order(kind, number, tuple(paths), *rest), key=key, pure=False)

    def _finished(self, futures: "list[Future]") -> "list[Future]":
        from distributed import wait

        try:
            with self._client.as_current():
                waited: Any = wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
            return list(waited.done)
        except TimeoutError:
            pass
        except (CancelledError, OSError) as error:  # a cancelled one: the scheduler has forgotten it
            raise self._gone() from error
        if self._client.status != "running":
            raise self._gone()
        return []

    def _answer(self, future: "Future") -> dict[str, Any] | None:
        """What the worker said; None where it died too often with this piece, which is then dealt again."""
        from distributed import KilledWorker

        if future.status == "finished":
            return future.result()
        if future.status in ("cancelled", "lost"):
            raise self._gone()
        error = future.exception(timeout=_LOOK_S)
        if isinstance(error, KilledWorker):
            return None
        name = type(error).__name__
        raise RunError(
            f"a Dask worker cannot do this work ({name}). Install the same medclassify and dask on all machines, and see "
            f"its log."
        )

    def _tell_if_alone(self, since: float) -> float:
        now = time.monotonic()
        if self.threads():
            return now
        if now - since > _NOBODY_S:
            raise RunError(
                f"{self.address}: no worker has been there for {_NOBODY_S / 60:.0f} minutes. Start some "
                f"({self.start_worker}) and the same command again: finished pieces are kept."
            )
        return since

    def _gone(self) -> RunError:
        return RunError(
            f"{self.address}: the Dask scheduler is gone or was restarted. Start it and this command again: pieces are kept."
        )


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """Connects to a scheduler.

    Args:
        address: ``tcp://host:8786``, ``tls://…``, or the scheduler's file.

    Raises:
        ConfigError: Dask is not installed.
        RunError: Nobody answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError("--scheduler needs Dask. Install it: pip install 'medclassify[cluster]'") from error
    at: dict[str, Any] = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**at, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise RunError(f"--scheduler {address}: no Dask scheduler answers. Start one: dask scheduler") from error
    try:
        cluster = Cluster(client, address)
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if workers:
            say(f"Dask: {workers} worker{'' if workers == 1 else 's'}, {cluster.threads()} threads at {address}")
        else:
            warn(f"{address}: no worker is there yet; waiting for one ({cluster.start_worker})")
        yield cluster
    finally:
        with suppress(Exception):
            client.close(timeout=5)
