"""The control plane: state machines, functions, events, and what is deployed."""
