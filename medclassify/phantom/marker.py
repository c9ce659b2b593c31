"""Lead on the film and wires on the skin: what is bright and is no anatomy."""

import numpy as np

from medclassify.phantom.anatomy import Anatomy
from medclassify.phantom.grid import HEIGHT, WIDTH, Map, add_tube, window

# Five columns by seven rows, a row an integer of five bits.
_GLYPHS = {
    "L": (16, 16, 16, 16, 16, 16, 31),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "P": (30, 17, 17, 30, 16, 16, 16),
}
_CELL = 2.8


def stamp(board: Map, text: str, corner: tuple[float, float], value: float) -> None:
    """Sets lead letters onto a board, in place.

    Args:
        board: float32 (HEIGHT, WIDTH).
        text: Of the letters A, E, L, P, R.
        corner: (x, y) of the upper left corner, mm.
        value: Put where there is lead.
    """
    for place, letter in enumerate(text):
        for row, bits in enumerate(_GLYPHS[letter]):
            for column in range(5):
                if bits >> (4 - column) & 1:
                    x, y = corner[0] + (place * 6 + column) * _CELL, corner[1] + row * _CELL
                    part = window(x, x + _CELL, y, y + _CELL)
                    board[part.rows, part.columns] = value


def wires(anatomy: Anatomy, rng: np.random.Generator) -> Map:
    """float32 (HEIGHT, WIDTH), mm of metal: monitoring electrodes with their leads, as on a ward."""
    board = np.zeros((HEIGHT, WIDTH), np.float32)
    out = (rng.choice([-1, 1]) * 190.0, 340.0)
    for _ in range(int(rng.integers(2, 4))):
        x, y = rng.uniform(-0.8, 0.8) * anatomy.cage_half_width, rng.choice([rng.uniform(-5, 40), rng.uniform(170, 240)])
        add_tube(board, np.array([[x - 2.0, y], [x + 2.0, y]]), 3.0, 0.5)
        t = np.linspace(0, 1, 16)[:, None]
        bow = np.array([[x + rng.normal(0, 40), (y + out[1]) / 2 + rng.normal(0, 30)]])
        add_tube(board, (1 - t) ** 2 * np.array([[x, y]]) + 2 * t * (1 - t) * bow + t**2 * np.array([out]), 0.9, 0.22)
    return board
