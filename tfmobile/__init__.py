"""tfmobile."""
