#!/usr/bin/env python3
"""Writes tests/oracles/fixtures/*.json: inputs, parameters, outputs and gradients of every mixer.

    make_fixtures.py [NAME...]   write all fixtures anew, or the named ones
    make_fixtures.py --check     compute the outputs from the committed inputs and compare

Written and checked with them is special_values.json, see special_values.py.

README.md beside this file describes the format. Inputs are multiples of 2^-12, so they are the same
numbers in f32 and f64. Gradients are central differences of sum(cotangent * output), in f64.
"""

import json
import pathlib
import sys
import zlib

import numpy as np

import attention, delta, kernels, linear_recurrences, multirate, nonlinear, pointwise, special_values, state_space  # noqa: E401,F401
from basics import REGISTRY

FOLDER = pathlib.Path(__file__).parent / "fixtures"
BATCH = 2
FIXED = {"taps": 4, "two": 2}  # sizes of axes that a spec fixes in its body
STEP = 1e-5


def size(axis, sizes):
    axis, _, own = axis.rstrip("'").partition("=")
    if own:
        return int(own)
    return sizes[axis] if axis in sizes else FIXED[axis]


def quantised(x):
    return np.round(x * 4096) / 4096


def draw(rng, spec, leading, sizes, spread):
    """An array for a tensor whose spec is its axes, or (axes, draw function)."""
    axes, how = spec if isinstance(spec, tuple) else (spec, None)
    shape = (*leading, *(size(axis, sizes) for axis in axes.split()))
    if how is None:
        return quantised(spread * rng.standard_normal(shape))
    return quantised(np.asarray(how(rng, shape, sizes)))


def axes_of(spec):
    axes = spec[0] if isinstance(spec, tuple) else spec
    return [axis.partition("=")[0] for axis in axes.split()]


def is_discrete(spec):
    return isinstance(spec, tuple) and hasattr(spec[1], "discrete")


def evaluate(case, params, inputs):
    """The outputs over the batch; an objective is the mean over it."""
    rows = [case["function"](params, case["sizes"], **{k: v[b] for k, v in inputs.items()}) for b in range(BATCH)]
    return {k: np.stack([row[k] for row in rows]) for k in rows[0]}


def gradients(case, params, inputs, cotangents):
    """d sum(cotangent * output) / d tensor; for a complex one, d/d re + i d/d im."""

    def loss():
        out = evaluate(case, params, inputs)
        return sum((cotangents[k] * out[k]).sum() for k in cotangents)

    result = {}
    for name, x in [*inputs.items(), *params.items()]:
        g = result[name] = np.zeros_like(x)
        if is_discrete(case["inputs"].get(name)):
            continue
        flat, gflat = x.reshape(-1), g.reshape(-1)
        for at in range(flat.size):
            for unit in (1, 1j) if np.iscomplexobj(x) else (1,):
                kept = flat[at]
                flat[at] = kept + STEP * unit
                up = loss()
                flat[at] = kept - STEP * unit
                gflat[at] += unit * (up - loss()) / (2 * STEP)
                flat[at] = kept
    return result


def tensor(x, axes):
    """JSON of a tensor; complex numbers are two entries, real part first."""
    entry = {"axes": axes, "shape": list(x.shape)}
    if np.iscomplexobj(x):
        entry["complex"] = True
        x = np.stack([x.real, x.imag], -1)
    return entry | {"data": x.reshape(-1).tolist()}


def array(entry):
    x = np.array(entry["data"], dtype=float)
    if entry.get("complex"):
        x = x[0::2] + 1j * x[1::2]
    return x.reshape(entry["shape"])


def fixture(key, case):
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    sizes, time = case["sizes"], ["batch", "time"]
    lengths = {name: case["length"] - 2 * (name == "mem") for name in case["inputs"]}
    inputs = {n: draw(rng, spec, (BATCH, lengths[n]), sizes, 1.0) for n, spec in case["inputs"].items()}
    params = {n: draw(rng, spec, (), sizes, 0.3 if n.endswith("bias") else 0.6) for n, spec in case["params"].items()}
    out = evaluate(case, params, inputs)
    named = {k: v for k, v in out.items() if not k.startswith("objective.")}
    cotangents = {k: quantised(rng.standard_normal(v.shape)) for k, v in named.items()}
    out_axes = {k: time + axes_of(spec) for k, spec in case["outputs"].items()}
    axes = {k: time + axes_of(v) for k, v in case["inputs"].items()} | {k: axes_of(v) for k, v in case["params"].items()}
    grads = gradients(case, params, inputs, cotangents)
    return {
        "mixer": case["mixer"],
        "file": f"{case['file']}.seq",
        "settings": {k: sizes[k] for k in case["settings"]},
        "inputs": {k: tensor(v, axes[k]) for k, v in inputs.items()},
        "parameters": {k: tensor(v, axes[k]) for k, v in params.items()},
        "outputs": {k: tensor(v, out_axes[k]) for k, v in named.items()},
        "objectives": {k.removeprefix("objective."): v.mean() for k, v in out.items() if k not in named},
        "cotangents": {k: tensor(v, out_axes[k]) for k, v in cotangents.items()},
        "gradients": {k: tensor(v, axes[k]) for k, v in grads.items()},
    }


def dump(value):
    """One line a tensor, so that a change shows as a readable diff."""
    lines = []
    for section, content in value.items():
        if section in ("mixer", "file", "settings", "objectives") or not content:
            lines.append(f" {json.dumps(section)}: {json.dumps(content)}")
        else:
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in content.items())
            lines.append(f" {json.dumps(section)}: {{\n{inner}\n }}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def check(key, case):
    """What is wrong with the committed fixture, or None."""
    path = FOLDER / f"{key}.json"
    if not path.exists():
        return "no fixture"
    stored = json.loads(path.read_text())
    params = {k: array(v) for k, v in stored["parameters"].items()}
    inputs = {k: array(v) for k, v in stored["inputs"].items()}
    for name, value in evaluate(case, params, inputs).items():
        objective = name.removeprefix("objective.")
        want = array(stored["outputs"][name]) if objective == name else np.full(BATCH, stored["objectives"][objective])
        got = value if objective == name else np.full(BATCH, value.mean())
        if want.shape != got.shape or not np.allclose(got, want, rtol=1e-10, atol=1e-12):
            return f"{name} differs by up to {np.abs(got - want).max():.3g}"
    return None


def main():
    FOLDER.mkdir(exist_ok=True)
    if "--check" not in sys.argv[1:]:
        names = sys.argv[1:] or list(REGISTRY)
        for key in names:
            (FOLDER / f"{key}.json").write_text(dump(fixture(key, REGISTRY[key])))
        if not sys.argv[1:]:
            special_values.write()
        print(f"{len(names)} fixtures written")
        return 0
    problems = {key: problem for key, case in REGISTRY.items() if (problem := check(key, case))}
    if wrong := special_values.problem():
        problems["special_values"] = wrong
    problems |= {p.stem: "no reference" for p in FOLDER.glob("*.json") if p.stem not in REGISTRY}
    for key, problem in problems.items():
        print(f"{key}: {problem}")
    print(f"{len(REGISTRY) - len(problems)} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
