"""Parts of modno.py; those with rows() are its questions."""
