"""Three releases under live traffic, watched, counted and drawn."""
