"""The helpers of the standard library that mix nothing along time, and rotary positions."""

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
