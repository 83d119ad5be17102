"""What the command asks of AWS that no function does; the rest is in viridian.aws."""
