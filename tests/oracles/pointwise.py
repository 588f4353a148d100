"""The helpers of the standard library that mix nothing along time, and rotary positions."""

import numpy as np

from attention import rope as rotary
from basics import SCALE, linear, mixer, rmsnorm as norm, silu


@mixer("rmsnorm", file="std", sizes=dict(c=5), inputs={"x": "c"}, outputs={"y": "c"}, params={"scale": ("c", SCALE)})
def rmsnorm(p, s, x):
    return {"y": norm(x, p["scale"])}


@mixer("swiglu", file="std", sizes=dict(d=4, m=6), settings=["m"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"up.weight": "d m", "gate.weight": "d m", "y.weight": "m d"})
def swiglu(p, s, x):
    return {"y": linear(linear(x, p["up.weight"]) * silu(linear(x, p["gate.weight"])), p["y.weight"])}


@mixer("rope", file="std", sizes=dict(c=6, base=100), settings=["base"], inputs={"x": "c"}, outputs={"y": "c"},
       params={})
def rope(p, s, x):
    return {"y": rotary(x, s["base"])}


@mixer("layernorm_affine", file="../../stdlib/norms", sizes=dict(c=5), inputs={"x": "c"}, outputs={"y": "c"},
       params={"scale": ("c", SCALE), "shift": "c"})
def layernorm_affine(p, s, x):
    z = x - x.mean(axis=-1, keepdims=True)
    return {"y": p["scale"] * z / np.sqrt((z * z).mean(axis=-1, keepdims=True) + 1e-5) + p["shift"]}


@mixer("gelu_tanh", file="../../stdlib/prelude", sizes=dict(), inputs={"x": ""}, outputs={"y": ""}, params={})
def gelu_tanh(p, s, x):
    return {"y": x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2}
