"""The command `edgepde`: one module per verb."""
