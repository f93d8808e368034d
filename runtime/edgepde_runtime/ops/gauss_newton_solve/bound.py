"""Rounding model of a solution that an iteration settles on.

The last step is at most tau (1 + |c|_inf), tau the attribute `tolerance`, and the next would be at most half of it
where the iteration contracts; how the normal equations are eliminated changes how fast it contracts, not where it ends.
Where it ends is moved by the rounding of r and J alone: with |.| on every factor, A = weights sum_t |coefficients_t|
prod_k (|lift| + |basis| |c|), |J| its derivative by |c|, and J (constraints below it) of full column rank,

    magnitude = |J^+|_2 |A|_2 + |(J^T J)^-1|_2 | |J|^T |r| |_2,    terms = K (N + 1) + T + R + C.

The four roundings besides: the lift's sum, the coefficient, the weight, the update of c. With a rank-deficient J the
solution is not determined and the bound is infinite; where `converged` is false nothing is claimed.
"""

from __future__ import annotations

from ..rounding import Rounding

ROUNDING = Rounding(roundings=4, reduction=True, chunk=16, settled_by="tolerance")
