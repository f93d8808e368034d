"""How each kind of model becomes a graph: one module per family, and one for plain networks and ONNX files."""
