"""Ways to lambda by name: every module here has a METHOD."""
