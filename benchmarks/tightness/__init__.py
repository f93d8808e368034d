"""Networks to certify, and the bounds ours is held against."""
