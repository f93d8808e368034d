"""Many operators in one small model: a shared branch and an output basis per operator (arXiv 2404.02892)."""
