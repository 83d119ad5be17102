"""What a release does, put together from decisions and the services that carry them out."""
