"""What the reduced model is compared with, and how errors are measured for all of them alike."""
