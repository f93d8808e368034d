"""Derivative and residual outputs appended to a surrogate, as plain modules that torch.export traces."""
