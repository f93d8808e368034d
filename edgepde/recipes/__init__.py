"""Trainings by name: each file has a frozen Config and train(config, run, device)."""
