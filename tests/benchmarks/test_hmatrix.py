"""What the rivals of hierarchical matrices store, that they change little where little is cut, and the one entry."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import hmatrix
import numpy as np
import pytest
import torch
from _harness import OURS
from hmatrix_parts import contest, depth, rivals, trained
from hmatrix_parts.rivals import hmatrix_ordered, int_rows, monarch, pruning, weight_svd
from hmatrix_parts.trained import Layers

from edgepde.errors import RunError

N = 32
DRAW = torch.Generator().manual_seed(0)
W = torch.randn(N, N, generator=DRAW, dtype=torch.float64)
H = torch.tanh(torch.randn(2000, 5, generator=DRAW, dtype=torch.float64) @ torch.randn(5, N, generator=DRAW).double())
NAMES = [r.__name__.rpartition(".")[2] for r in rivals.known()]


def lost(held: torch.Tensor, weight: torch.Tensor = W) -> float:
    return float(((weight - held) @ H.T).norm() / (weight @ H.T).norm())


def net(width: int = 16) -> Layers:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in pairwise([2, width, width, 1])]


def test_the_rivals_of_the_issue_are_there() -> None:
    assert {"weight_svd", "activation_svd", "pruning", "int_rows", "monarch"} <= set(NAMES)
    assert {"pinn", "depth"} <= set(hmatrix.parts())


@pytest.mark.parametrize("rival", rivals.known(), ids=NAMES)
def test_settings_go_from_few_bytes_and_large_errors_to_many_and_small(rival: object) -> None:
    settings = rival.settings((N, N))  # type: ignore[attr-defined]
    made = [rival.held(W, H, s) for s in settings]  # type: ignore[attr-defined]
    assert all(a.nbytes <= b.nbytes + 1e-9 for a, b in pairwise(made))
    assert made[0].nbytes < made[-1].nbytes <= 4.0 * W.numel()
    errors = [lost(m.weight) for m in made]
    assert errors[0] > 10.0 * errors[-1]
    assert all(torch.isfinite(m.weight).all() for m in made)


def test_rank_one_and_monarch_matrices_are_found_exactly() -> None:
    thin = torch.outer(W[0], W[1])
    found = weight_svd.held(thin, H, 0.5)
    assert found.nbytes == 4.0 * 2 * N
    torch.testing.assert_close(found.weight, thin)
    p = monarch._groups((N, N))
    left, right = torch.randn(p, N // p, p, 1).double(), torch.randn(p, p, 1, N // p).double()
    product = monarch._dense((left, right))
    again = monarch.held(product, torch.randn(500, N).double(), float(p))
    assert again.nbytes == 4.0 * 2 * p * N
    torch.testing.assert_close(again.weight, product, rtol=1e-6, atol=1e-6)


def test_pruning_counts_its_indices_and_refits_its_rows() -> None:
    held = pruning.held(W, H, 0.5)
    mask = held.weight != 0.0
    kept = int(mask.sum())
    assert held.nbytes == 4.0 * kept + min(N * N / 8.0, 2.0 * kept + 4.0 * (N + 1))
    assert lost(held.weight) < lost(W * mask)


def test_integers_are_multiples_of_a_scale_per_row() -> None:
    held = int_rows.held(W, H, 8)
    codes = held.weight / (W.abs().amax(dim=1, keepdim=True) / 127.0)
    torch.testing.assert_close(codes, codes.round(), atol=1e-9, rtol=0.0)
    assert codes.abs().max() <= 127.0 + 1e-9
    assert held.nbytes == N * N + 4.0 * N
    assert held.tensors == ()


def test_blocks_are_found_again_after_units_were_shuffled() -> None:
    t = torch.linspace(0.0, 1.0, 64, dtype=torch.float64)
    kernel = torch.exp(-8.0 * (t[:, None] - t).abs()) / 64.0
    x = torch.exp(-50.0 * (torch.rand(3000, 1, generator=DRAW).double() - t) ** 2)
    order = torch.randperm(64, generator=DRAW)
    shuffled = hmatrix_ordered.held(kernel[order][:, order], x[:, order], 1e-3)
    raw = hmatrix_ordered.in_blocks(kernel[order][:, order], x[:, order], 1e-3, None, None)
    assert shuffled.nbytes < 0.8 * raw.nbytes
    torch.testing.assert_close(shuffled.weight, kernel[order][:, order], atol=1e-3, rtol=0.0)


def test_fitting_again_brings_the_error_down_and_keeps_the_form() -> None:
    asked = contest.case(net(), 1e-3, 0)
    entry = contest.made(asked, weight_svd, 0.7)
    again = contest.fit(asked, entry, 2.0)
    assert again.sampled < 0.7 * entry.sampled
    assert torch.linalg.matrix_rank(again.layers[1][0]) == torch.linalg.matrix_rank(entry.layers[1][0])
    assert again.nbytes == entry.nbytes
    assert (
        contest.fit(asked, contest.made(asked, int_rows, 4), 1.0)
        .layers[1][0]
        .equal(contest.made(asked, int_rows, 4).layers[1][0])
    )


def test_what_is_stated_is_proved() -> None:
    asked = contest.case(net(), 5e-2, 0)
    entry, said = contest.plain(asked, rivals.known()[NAMES.index("activation_svd")])
    assert entry is not None
    assert said.startswith("proved")
    assert contest.proved(asked, entry)[0]
    broken = [(w * 1.2, b) for w, b in entry.layers]
    assert not contest.proved(asked, contest.Entry(0.0, entry.held, broken, 0.0))[0]


def test_errors_over_depth_are_those_of_the_forms() -> None:
    few = depth._both("integral layers", 3, depth._integral(3, 0))
    ours, svd = few
    assert (ours.form, svd.form) == (OURS, depth.SVD)
    assert abs(ours.share - svd.share) < 0.01
    assert ours.change < 0.2 * svd.change
    assert max(ours.change, ours.dense_error) < 2.0 * ours.error < 3.0 * (ours.change + ours.dense_error)


def test_a_bad_reference_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = contest.network([(torch.tensor(w), torch.tensor(b)) for w, b in net()])
    relative, sup = trained.against_exact(network)
    assert relative > 0.1
    made = trained.Trained(tmp_path, network, relative, sup, 1.0)
    monkeypatch.setattr(trained, "obtain", lambda *_: made)
    with pytest.raises(RunError, match=r"expected a relative L2 error of at most 0\.001, got"):
        trained.reference(tmp_path, 16, 2)
