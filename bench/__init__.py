"""What Viridian is measured against, and the measuring."""
