"""What a network expects of its input. It comes with the weights and travels with the model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The facts that turn a prepared image into network input.

    Attributes:
        image_size: Side of the square input, pixels.
        mean: Per-channel mean of the [0, 1] image that is subtracted.
        std: Per-channel standard deviation that is divided by.
        interpolation: How images smaller than the input are enlarged (``bicubic``, ``bilinear``); larger ones shrink by area.
        window: How a radiograph's values become grey (``voi``, ``percentile``, ``full``).
        ct_windows: Names of ``display.CT_WINDOWS`` that Hounsfield units are shown through, one channel each; none for
            radiographs, which are one channel.
        neighbours: How many slices below and above a slice are channels beside it, in the order in which they lie.
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    window: str
    ct_windows: tuple[str, ...] = ()
    neighbours: int = 0
