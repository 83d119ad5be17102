"""What CloudWatch sees, and what its alarms make of it."""
