"""Instances that live: launched, booted, checked, drained, replaced, scaled."""
