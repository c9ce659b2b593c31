"""Finds the verb, calls it, and turns every failure into one line and an exit code.

Exit codes: 0 done; 1 the input or a check failed, or the person stopped it; 2 wrong usage. Nothing heavy is imported before a
verb's own function runs, so that help answers at once.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import medclassify
from medclassify.cli.verbs import VERBS, Verb
from medclassify.errors import MedclassifyError
from medclassify.runs import started_rank

_DESCRIPTION = "Fine-tune, calibrate, audit, explain and review EfficientNets on DICOM X-ray and CT images."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Words after the program's name; the process's own when left out.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    parser, verb_parsers = _parser()
    if not words:
        parser.print_help()
        return 2
    overrides: list[str] = []
    if words[0] in verb_parsers and verb_parsers[words[0]].get_default("verb").takes_overrides:
        words, overrides = _part_overrides(words, verb_parsers[words[0]])
    arguments = parser.parse_args(words)
    verb: Verb = arguments.verb
    try:
        with _stop_as_interrupt():
            verb.run(arguments, overrides)
    except MedclassifyError as error:
        if debug:
            raise
        return _fail(str(error))
    except KeyboardInterrupt:
        if debug:
            raise
        # of several ranks that are stopped, the leading one speaks
        return 1 if started_rank() else _fail("stopped. Nothing half-written was left.")
    except OSError as error:
        if debug:
            raise
        return _fail(_os_message(error))
    return 0


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog="medclassify", description=_DESCRIPTION, epilog=_NOTICE)
    parser.add_argument("--version", action="version", version=f"medclassify {medclassify.__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        described = verbs.add_parser(
            verb.name,
            help=verb.summary,
            description=verb.description,
            epilog=f"example: {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.add_arguments(described)
        described.add_argument("--debug", action="store_true", help="show the traceback of a failure")
        described.set_defaults(verb=verb)
    return parser, dict(verbs.choices)


def _part_overrides(words: Sequence[str], parser: argparse.ArgumentParser) -> tuple[list[str], list[str]]:
    """Takes ``--dotted.key value`` and ``--dotted.key=value`` out, so that a value is never taken for the config's name."""
    known = set(parser._option_string_actions)
    own: list[str] = []
    overrides: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if not word.startswith("--") or word.partition("=")[0] in known:
            own.append(word)
            continue
        overrides.append(word)
        if "=" not in word:
            overrides += [value for value in [next(remaining, None)] if value is not None]
    return own, overrides


@contextmanager
def _stop_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a verb as Ctrl-C does, with its line; processes that a verb forks end by it as they would have."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield
        return
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(message: str) -> int:
    print(f"medclassify: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 1


def _os_message(error: OSError) -> str:
    where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    if error.errno == 28:  # ENOSPC
        return f"{where}the disk is full. Free some space and start again, or choose another place."
    return f"{where}{error.strerror or error}. Check that the file or folder exists and may be used."


_NOTICE = (
    "For research. Not a medical device. Every verb has --help with a worked example; docs/README.md says where to read on."
)
