"""What the training of every family shares: run folders, recipes, devices, progress, least squares."""
