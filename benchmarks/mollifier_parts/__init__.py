"""Parts of mollifier.py; those with rows() are its questions."""
