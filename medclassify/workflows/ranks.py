"""Several processes fit one model: rank 0 does everything, and calls the others for the training alone.

Preparing, calibrating, testing and writing are rank 0's. torchrun and srun start all ranks at once, so the others wait until
rank 0 calls them or sends them away. Ranks that Lightning starts come when they are needed, and find the call in their
environment.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

from torch.distributed import TCPStore

from medclassify.config import Config, load_config
from medclassify.data import open_store
from medclassify.errors import ConfigError, MedclassifyError, RunError
from medclassify.manifest import LeakageReport, read_manifest
from medclassify.runs import RunLayout, core_count, started_rank
from medclassify.training import LostRankError, Ranks, find_ranks
from medclassify.workflows.console import silence
from medclassify.workflows.dataset import Dataset, arranged, preprocessing_for
from medclassify.workflows.device import best_device
from medclassify.workflows.learning import learn, start_network

_VARIABLE = "MEDCLASSIFY_CALLED"
_KEY = "medclassify/called"
_MEET = timedelta(minutes=10)
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """What rank 0 tells the others.

    Attributes:
        run: The run directory.
        store: The prepared store's folder.
        pretrained: The backbone's weights were loaded; the others get them from rank 0.
        resume: Training goes on from the last checkpoint.
    """

    run: str
    store: str
    pretrained: bool
    resume: bool


def crowding(ranks: Ranks, accelerator: str) -> str | None:
    """Says so where more ranks were asked of this machine's processor than it has cores; None where they fit, or are GPUs'."""
    here = ranks.number // ranks.nodes
    on_processor = accelerator == "cpu" or (accelerator == "auto" and best_device().type == "cpu")
    if not on_processor or here <= core_count():
        return None
    cores = core_count()
    return (
        f"{here} ranks share {cores} cores of this machine: each waits for the others, and it takes longer than {cores} would. "
        f"Set trainer.devices to at most {cores}."
    )


def roll_call(config_path: Path, overrides: Sequence[str]) -> tuple[Config, Ranks]:
    """Reads the config, and finds out who fits it.

    Raises:
        ConfigError: The config cannot be used, or this machine has not what it asks for.
        SystemExit: The same, on a rank whose neighbour tells it already.
    """
    try:
        config = load_config(config_path, overrides)
        return config, find_ranks(config.trainer)
    except ConfigError as error:
        if started_rank():
            raise SystemExit(1) from error
        raise


class Leader:
    """Rank 0's side.

    Args:
        ranks: Who trains.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self._room = _enter(ranks) if _starts_together(ranks) else None
        self._called = False

    def call(self, call: Call) -> None:
        """Lets the others train; Lightning starts those that are not there yet."""
        self._say(json.dumps(asdict(call)))
        os.environ[_VARIABLE] = json.dumps(asdict(call))

    def dismiss(self) -> None:
        """Sends away whoever still waits: there is nothing to train, or rank 0 cannot go on."""
        os.environ.pop(_VARIABLE, None)
        self._say("")

    def _say(self, text: str) -> None:
        if self._room is not None and not self._called:
            self._room.set(_KEY, text)
        self._called = True


@contextmanager
def leading(ranks: Ranks) -> Iterator[Leader]:
    """Whatever happens to rank 0, nobody waits for it for ever."""
    leader = Leader(ranks)
    try:
        yield leader
    finally:
        leader.dismiss()


def follow(ranks: Ranks) -> None:
    """A rank other than 0: waits, trains, and leaves; it prints nothing and writes nothing.

    Raises:
        RunError: Something of this rank's own is amiss.
        SystemExit: It was stopped (0), or rank 0 is gone (1), which says why itself.
    """
    with silence():
        try:
            if (call := _wait(ranks)) is not None:
                _train(call, ranks)
        except LostRankError as error:
            raise SystemExit(1) from error
        except KeyboardInterrupt as error:
            raise SystemExit(0) from error
        except MedclassifyError as error:
            raise type(error)(f"{ranks.name}: {error}") from error


def _train(call: Call, ranks: Ranks) -> None:
    run = RunLayout(Path(call.run))
    config = load_config(run.config)
    network, _ = start_network(replace(config, model=replace(config.model, weights="none")))  # rank 0 hands its own out
    manifest, preprocessing = read_manifest(run.manifest), preprocessing_for(config)
    store = arranged(open_store(Path(call.store)), manifest, preprocessing)
    dataset = Dataset(manifest, store, (), LeakageReport({}, (), (), {}), (), synthetic=False)
    dataset = dataset.of_slices() if store.stacks else dataset  # series are rank 0's, on what all have learnt of slices
    learn(network, dataset, config, preprocessing, run, pretrained=call.pretrained, resume=call.resume, ranks=ranks)


def _wait(ranks: Ranks) -> Call | None:
    """The call; None where there is none to come."""
    text = os.environ.get(_VARIABLE)
    if text is None:
        room = _enter(ranks)
        try:
            while not room.check([_KEY]):
                time.sleep(_POLL_S)  # a wait inside the store would not hear a signal
            text = room.get(_KEY).decode()
        except RuntimeError as error:  # rank 0 kept the room
            raise LostRankError(f"{ranks.name}: rank 0 is gone.") from error
        os.environ[_VARIABLE] = text  # for the ranks that Lightning starts on this machine
    return Call(**json.loads(text)) if text else None


def _starts_together(ranks: Ranks) -> bool:
    return ranks.number > 1 and (ranks.started_by != "fit" or ranks.nodes > 1)


def _enter(ranks: Ranks) -> TCPStore:
    """The place where ranks meet: torchrun's, or rank 0's own, which its process group shares later."""
    host, port = ranks.address
    try:
        return TCPStore(
            host,
            port,
            is_master=not ranks.rank and not ranks.hosted,
            timeout=_MEET,
            wait_for_workers=False,
            multi_tenant=True,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise RunError(
            f"{ranks.name}: the ranks cannot meet at {host}:{port} ({reason}). Check MASTER_ADDR, MASTER_PORT and the network."
        ) from error
