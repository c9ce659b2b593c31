"""What a verb is."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Run = Callable[[argparse.Namespace, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Verb:
    """One command.

    Attributes:
        name: The word.
        summary: One line for the list of verbs.
        description: What it does, for its own help.
        example: One worked example.
        add_arguments: Describes its arguments to a parser.
        run: Calls the workflow with the parsed arguments and the config overrides, and prints what it wrote.
        takes_overrides: ``--dotted.key value`` words may follow.
    """

    name: str
    summary: str
    description: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Run
    takes_overrides: bool = False
