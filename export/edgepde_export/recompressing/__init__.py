"""A bundle made anew because its inputs or its residuals drifted: what answers an alarm, rebuilt, verified, swapped."""
