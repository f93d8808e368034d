"""Rollouts: frames fed back in the right order, what does not fit named, flags of every step, errors that grow."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import edgepde_runtime
import numpy as np
import pytest
from edgepde_runtime import OutOfBoxWarning, RoundedWarning, load, roll, rollout
from edgepde_runtime.__main__ import main
from edgepde_runtime.errors import InputError, NotConverged, OutOfBox
from edgepde_runtime.rollout import error_growth
from numpy.typing import NDArray
from support.bundles import mlp_bundle, residual_bundle
from support.frame_bundles import BOX, FRAME, exact, frame_bundle, step_matrix

Array = NDArray[Any]


def first(past: int, rows: int = 2) -> Array:
    """Frames [n, k, 2, 3] of quarters, so that halving is exact."""
    return (np.random.default_rng(past).integers(1, 16, (rows, past, *FRAME)) / 4).astype(np.float32)


@pytest.mark.parametrize(("past", "future", "steps"), [(1, 1, 4), (2, 1, 5), (3, 2, 4), (2, 3, 3), (1, 4, 2)])
def test_frames_are_fed_back_in_order(tmp_path: Path, past: int, future: int, steps: int) -> None:
    model = load(frame_bundle(tmp_path / "b", past, future), "reference")
    made = rollout(model, first(past), steps)
    assert made.shape == (2, steps * future, *FRAME)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, exact(first(past), step_matrix(past, future), steps))
    flat = first(past).reshape(2, -1)
    np.testing.assert_array_equal(rollout(model, flat, steps), made)


def test_a_state_without_frames_is_one_frame(tmp_path: Path) -> None:
    model = load(frame_bundle(tmp_path / "b", 2, 1, shape=("M", 6)), "reference")
    made = rollout(model, first(2).reshape(2, 2, 6), 3)
    assert made.shape == (2, 3, 6)
    np.testing.assert_array_equal(made, exact(first(2), step_matrix(2, 1), 3).reshape(2, 3, 6))


def test_frames_that_leave_the_box_are_refused_or_flagged(tmp_path: Path) -> None:
    path = frame_bundle(tmp_path / "b", 1, 1, factor=2.0)
    start = np.stack([np.full((1, *FRAME), 3.0), np.full((1, *FRAME), 1.0)]).astype(np.float32)
    with pytest.raises(OutOfBox, match=r"step 3: input frames: "):
        rollout(load(path, "reference"), start, 4)
    flagging = load(path, "reference", out_of_box="flag")
    made = roll(flagging, start, 5)
    assert made.flags.tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [1, 1]]
    assert made.frames[0, 0, 0, 0] * 2 < 2 * BOX
    with pytest.warns(OutOfBoxWarning, match="outside the box in 3 of 5 steps, first in step 3"):
        rollout(flagging, start, 5)


def test_a_rounded_start_is_told(tmp_path: Path) -> None:
    model = load(frame_bundle(tmp_path / "b", 1, 1), "reference")
    with pytest.warns(RoundedWarning, match="rounded to float32 in 1 of 2 steps, first in step 1"):
        rollout(model, np.full((1, 1, *FRAME), 0.1), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rollout(model, np.full((1, 1, *FRAME), 0.25), 2)


def test_frames_that_are_not_finite_stop_it(tmp_path: Path) -> None:
    model = load(frame_bundle(tmp_path / "b", 1, 1, reciprocal=True), "reference")
    start = np.stack([np.full((1, *FRAME), 0.5), np.zeros((1, *FRAME))]).astype(np.float32)
    with pytest.raises(NotConverged, match=r"step 1: frames are not finite for rows 1$"):
        rollout(model, start, 2)
    with pytest.raises(InputError, match="expected a finite number"):
        rollout(model, np.full((1, 1, *FRAME), np.nan, np.float32), 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"past": 2, "future": 1, "unit": "m"}, r"the output is in 'm', column f0 in 'mm'"),
        ({"past": 1, "future": 1, "shape": ("M", 1, 6, 1), "unit": "K"}, r"output u \[M, 1, 6, 1\] does not feed"),
        ({"past": 1, "future": 2, "shape": ("M", 12)}, r"a frame has 12 numbers, expected a multiple .* got 6"),
        ({"past": 3, "future": 2, "shape": ("M", 1, 3, 4)}, r"a frame has 12 numbers, expected a multiple .* got 18"),
    ],
)
def test_outputs_that_do_not_feed_inputs_are_named(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    model = load(frame_bundle(tmp_path / "b", **arguments), "reference")
    with pytest.raises(InputError, match=said):
        rollout(model, first(arguments["past"]), 2)


def test_models_of_several_arrays_or_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one input and one output, got 2 and 2"):
        rollout(load(residual_bundle(tmp_path / "r"), "reference"), first(1), 2)
    with pytest.raises(InputError, match="the output is in 'm/s', column x in 'm'"):
        rollout(load(mlp_bundle(tmp_path / "m"), "reference"), np.zeros((1, 2), np.float32), 2)


@pytest.mark.parametrize("steps", [0, -1, True, 1.5, "2", 1 << 40])
def test_steps_that_are_none_are_refused(tmp_path: Path, steps: Any) -> None:
    with pytest.raises(InputError, match="steps: expected"):
        rollout(load(frame_bundle(tmp_path / "b"), "reference"), first(2), steps)


@pytest.mark.parametrize("shape", [(2, 1, 2, 3), (2, 2, 3, 2), (2, 11), (12,), (0, 2, 2, 3)])
def test_frames_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"input frames: expected float32 \[M, 12\].*; or \[M, 2, 2, 3\]"):
        rollout(load(frame_bundle(tmp_path / "b"), "reference"), np.ones(shape, np.float32), 2)


def test_error_growth_is_relative_to_the_reference() -> None:
    reference = np.random.default_rng(0).normal(size=(2, 4, *FRAME))
    size = math.sqrt(np.square(reference).sum() / 4)
    frames = reference.copy()
    frames[1, 2, 0, 1] += 0.5
    np.testing.assert_allclose(error_growth(frames, reference), [0, 0, 0.5 / size, 0], rtol=1e-12)
    assert error_growth(frames, reference[:, :2]).tolist() == [0, 0]
    for wrong in (reference[:1], reference[..., :2], np.zeros((2, 0, *FRAME)), reference.astype(int), 0 * reference):
        with pytest.raises(InputError, match="reference: expected"):
            error_growth(frames, wrong)


def write_frames(path: Path, frames: Array, **more: Array) -> Path:
    np.savez(path, frames=frames, **more)  # type: ignore[arg-type]
    return path


def argv(bundle: Path, source: Path, target: Path, steps: int | str) -> list[str]:
    how = ["--backend", "reference"]
    return ["run", str(bundle), "--input", str(source), "--output", str(target), "--steps", str(steps), *how]


def test_the_command_writes_frames_and_growth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = frame_bundle(tmp_path / "b", 2, 1)
    true = exact(first(2), step_matrix(2, 1), 20)
    true[:, 3] *= 1.5
    source = write_frames(tmp_path / "in.npz", first(2), reference=true)
    assert main(argv(bundle, source, tmp_path / "out.npz", 20)) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert sorted(out.files) == ["error_growth", "u"]
        assert out["u"].shape == (2, 20, *FRAME)
        assert np.flatnonzero(out["error_growth"]).tolist() == [3]
    text = capsys.readouterr().out
    assert "20 steps" in text
    assert "frame 1: 0\n" in text
    assert "frame 20: 0" in text
    assert "error bound: not verified" in text


def test_the_command_keeps_the_flags_of_every_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = frame_bundle(tmp_path / "b", 1, 1, factor=2.0)
    source = write_frames(tmp_path / "in.npz", np.full((1, 1, *FRAME), 3.0, np.float32))
    assert main(argv(bundle, source, tmp_path / "out.npz", 3)) == 1
    assert "step 3: input frames" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()
    assert main([*argv(bundle, source, tmp_path / "out.npz", 3), "--out-of-box", "flag"]) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert out["flags/frames"].tolist() == [[0], [0], [1]]
        assert out["flags/frames"].dtype == np.int32
    assert "in 1 steps, first in step 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "steps", "said"),
    [
        ({"other": np.ones(2)}, 2, "expected an npz file with member frames, and perhaps reference"),
        ({"reference": np.ones((2, 3))}, 2, "reference: expected floats"),
        ({"reference": np.full((2, 1, *FRAME), np.nan)}, 2, "reference: expected finite numbers, got 12"),
        ({}, 0, "steps: expected a whole number of at least 1, got 0"),
    ],
)
def test_the_command_refuses(
    tmp_path: Path, more: dict[str, Array], steps: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_frames(tmp_path / "in.npz", first(2), **more)
    assert main(argv(frame_bundle(tmp_path / "b"), source, tmp_path / "out.npz", steps)) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_the_command_refuses_a_model_without_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_frames(tmp_path / "in.npz", first(2))
    assert main(argv(mlp_bundle(tmp_path / "m"), source, tmp_path / "out.npz", 2)) == 2
    assert "does not feed input x" in capsys.readouterr().err


def test_it_is_public() -> None:
    assert {"rollout", "roll", "Rollout"} <= set(edgepde_runtime.__all__)
