"""The `viridian` command: what people type, and what they see."""

__version__ = "0.1.0"
