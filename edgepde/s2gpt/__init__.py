"""Reduced networks of pre-trained PINNs that solve a new parameter on the device (S2GPT-PINN, arXiv 2506.15687)."""
