"""The emulated world's time: virtual, or a multiple of real time."""
