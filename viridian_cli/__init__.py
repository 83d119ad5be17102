"""The `viridian` command: what people type, and what they see."""
