"""Mixers with coarser rates inside: SaShiMi's pyramid, rows of a picture, attention to chosen blocks."""

import numpy as np

from attention import attend, project
from basics import SCALE, linear, mixer, previous
from linear_recurrences import gla


def padded(x, n):
    """Zeros behind x, to a multiple of n steps."""
    missing = -len(x) % n
    return np.concatenate([x, np.zeros((missing, *x.shape[1:]))])


def part(p, name):
    """The parameters below a name, as a mixer of its own reads them."""
    return {path.removeprefix(f"{name}."): value for path, value in p.items() if path.startswith(f"{name}.")}


def gla_params(name, width, dk, dv):
    """Of gated linear attention with its default sizes."""
    key, value = f"h=4 dk={dk}", f"h=4 dv={dv}"
    own = {
        "q.weight": f"{width} {key}", "k.weight": f"{width} {key}", "v.weight": f"{width} {value}",
        "w.weight": f"{width} low=16", "a.weight": f"low=16 {key}", "a.bias": key, "gate.weight": f"{width} {value}",
        "y.rmsnorm.scale": (f"dv={dv}", SCALE), "y.weight": f"{value} {width}",
    }
    return {f"{name}.{path}": axes for path, axes in own.items()}


def run_gla(p, name, x, dk):
    return gla(part(p, name), {"h": 4, "dk": dk}, x)["y"]


@mixer("sashimi_level", sizes=dict(d=8, e=16, pool=2), settings=["pool", "e"], length=7, inputs={"x": "d"},
       outputs={"y": "d"}, file="tier2",
       params=gla_params("outer", "d", 1, 2) | gla_params("inner", "e", 2, 4)
       | {"c.weight": "pool d e", "u.weight": "e pool d"})
def sashimi_level(p, s, x):
    """arXiv:2202.09729: every `pool` steps become one, wider; back up, one coarse step later."""
    pool = s["pool"]
    a = run_gla(p, "outer", x, 1)
    whole = padded(a, pool)
    coarse = [sum(linear(whole[pool * c + r], p["c.weight"][r]) for r in range(pool)) for c in range(len(whole) // pool)]
    m = previous(run_gla(p, "inner", np.array(coarse), 2))
    up = [linear(m[t // pool], p["u.weight"][:, t % pool]) for t in range(len(x))]
    return {"y": a + np.array(up)}


@mixer("scan2d", sizes=dict(d=8, w=3), settings=["w"], length=8, inputs={"x": "d"}, outputs={"y": "d"}, file="tier2",
       params=gla_params("f", "d", 1, 2) | gla_params("g", "d", 1, 2))
def scan2d(p, s, x):
    """arXiv:2405.18425: rows of w pixels, one mixer along each row, one along each column."""
    w = s["w"]
    picture = padded(x, w)
    picture = picture.reshape(len(picture) // w, w, -1)
    rows = np.array([run_gla(p, "f", row, 1) for row in picture])
    columns = np.stack([run_gla(p, "g", picture[:, c], 1) for c in range(w)], axis=1)
    return {"y": (rows + columns).reshape(-1, picture.shape[-1])[: len(x)]}


@mixer("infllm", sizes=dict(d=6, h=2, dk=3, b=3, keep=1, window=2), settings=["h", "dk", "b", "keep", "window"], length=11,
       inputs={"x": "d"}, outputs={"y": "d"}, file="tier2",
       params={"q.weight": "d h dk", "k.weight": "d h dk", "v.weight": "d h dk", "y.weight": "h dk d"})
def infllm(p, s, x):
    """arXiv:2402.04617: the last steps, and the earlier whole blocks whose mean key is nearest to the query."""
    b, keep, window = s["b"], s["keep"], s["window"]
    q, k, v = project(p, x)
    o = np.zeros_like(v)
    for h in range(s["h"]):
        chosen = []
        for i in range(len(x)):
            means = [k[b * c : b * c + b, h].mean(0) for c in range(i // b)]
            chosen.append(sorted(range(i // b), key=lambda c: -q[i, h] @ means[c])[:keep])
        o[:, h] = attend(q[:, h], k[:, h], v[:, h], lambda i, j: j <= i and (i - j < window or j // b in chosen[i]))
    return {"y": linear(o, p["y.weight"], 2)}
