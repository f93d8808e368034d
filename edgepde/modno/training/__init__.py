"""Training one branch for many operators: schemes, trunks, what operators do to each other on the branch."""
