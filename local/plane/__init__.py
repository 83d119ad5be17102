"""The data plane: who answers a request, as a model and for real."""
