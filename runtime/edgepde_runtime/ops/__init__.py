"""One folder per op, a room: what it declares, its numpy reference and its rounding model."""
