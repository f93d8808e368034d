"""Least-squares solution of a residual that is a polynomial in linear factors of the unknowns."""

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="edgepde",
    name="gauss_newton_solve",
    since=1,
    inputs=(
        Argument("lift", "float64", ("B", "F", "R")),
        Argument("basis", "float64", ("F", "R", "N")),
        Argument("coefficients", "float64", ("B", "T", "R")),
        Argument("weights", "float64", ("B", "R")),
        Argument("start", "float64", ("B", "N")),
        Argument("terms", "int64", ("T", "K")),
        Argument("constraint_matrix", "float64", ("C", "N")),
        Argument("constraint_target", "float64", ("B", "C")),
    ),
    outputs=(
        Argument("solution", "float64", ("B", "N")),
        Argument("converged", "bool", ("B",)),
    ),
    attributes=(
        Attribute("max_iterations", "int", 20),
        Attribute("tolerance", "float", 1e-9),
    ),
    invariants=(
        "v_f = lift_f + basis_f c [R]; r = weights * sum_t coefficients_t * prod_k v_terms[t,k]; an index F means the "
        "factor 1. Minimises |r|^2 + |constraint_matrix c - constraint_target|^2 over c from start; rows of the "
        "constraint carry their own weight, C = 0 means none. Levenberg damping on the diagonal of J^T J; a step is "
        "taken only where the cost does not grow. converged: a step with |d|_inf <= tolerance (1 + |c|_inf) at "
        "negligible damping was reached, everything is finite and every unknown moves the residual; otherwise solution "
        "is the best iterate and must not be used as an answer. A settled iteration is a stationary point of the cost: "
        "whether it is the wanted one, the residual on rows the solver did not see must tell."
    ),
)
