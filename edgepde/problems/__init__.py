"""Partial differential equations: one statement each that solver, greedy loop, device op and certificate read."""
