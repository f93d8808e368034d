"""Parts of factorconv.py; those with rows() are its questions."""
