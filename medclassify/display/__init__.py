"""Arrays to viewable arrays: grey window, CT windows as channels, saliency overlay, PNG."""

from medclassify.display.ct_windows import CT_WINDOWS, ct_channels, ct_window
from medclassify.display.grey import apply_window, to_uint8
from medclassify.display.overlay import overlay
from medclassify.display.png import png_bytes

__all__ = ["CT_WINDOWS", "apply_window", "ct_channels", "ct_window", "overlay", "png_bytes", "to_uint8"]
