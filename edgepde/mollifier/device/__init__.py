"""Estimators for devices: chosen, trained and measured on simulated draws of an inverse problem."""
