"""What the commands do, one module per verb: a function from a path and options to a report, and its arguments."""
