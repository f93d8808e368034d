"""u_t = Lap(a (u^3 / w^2 - u) - b Lap u) + lambda(y, x) (c - u) - (c + u), closed edges: phase separation."""

from edgepde.problems.reaction_diffusion import ReactionDiffusion

from ..statement import Piece, Statement


def stated(config: ReactionDiffusion) -> Statement:
    """The inverse problem of a configuration."""
    a, b, w, c = config.a, config.b, config.w, config.filled
    return Statement(
        "reaction_diffusion",
        left=(Piece("u_t"),),
        operator=(Piece("u", (c, -1.0)),),
        source=(
            Piece("laplacian", (0.0, -a, 0.0, a / w**2)),
            Piece("biharmonic", (0.0, -b)),
            Piece("u", (-c, -1.0)),
        ),
        boundary="zero-flux",
    )


STATEMENT = stated(ReactionDiffusion())
