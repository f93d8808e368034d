"""The HTML page about a bundle: measured (collect), drawn (plots), written (page)."""
