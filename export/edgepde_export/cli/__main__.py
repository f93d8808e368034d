"""`python -m edgepde_export.cli` is the command `edgepde`."""

from .main import app

app(prog_name="edgepde")
