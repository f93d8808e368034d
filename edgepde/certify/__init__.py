"""What is known about an error: searches today, proofs where they land."""
