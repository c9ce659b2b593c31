"""Arrays to viewable arrays: grey window, saliency overlay, PNG."""

from medclassify.display.grey import apply_window, to_uint8
from medclassify.display.overlay import overlay
from medclassify.display.png import png_bytes

__all__ = ["apply_window", "overlay", "png_bytes", "to_uint8"]
