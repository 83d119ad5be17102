"""Blue/green releases for AWS: the decisions, apart from the services that carry them out."""
