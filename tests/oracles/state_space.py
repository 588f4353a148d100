"""Time-invariant state-space models and gated vector states, as recurrences in complex f64."""

import numpy as np

from basics import affine, around, complex_normal, conv_linear, discrete, linear, mixer, sigmoid, softplus, uniform


# --- cores ---------------------------------------------------------------------------------------
def diagonal_ssm(u, a, b, c):
    """s_t = a s_{t-1} + b u_t; y = Re(C s). u [T,d]; a [n]; b [n,d]; c [d,n]; all but u complex (arXiv:2303.06349)."""
    state = np.zeros(len(a), dtype=complex)
    out = np.zeros((len(u), len(c)))
    for t in range(len(u)):
        state = a * state + b @ u[t]
        out[t] = (c @ state).real
    return out


def s4d_core(u, a, c, dt):
    """One channel of S4D (arXiv:2206.11893), zero-order hold, B = 1: u [T]; a, c [n] complex; dt a number."""
    decay = np.exp(dt * a)
    drive = (decay - 1) / a
    state = np.zeros(len(a), dtype=complex)
    out = np.zeros(len(u))
    for t in range(len(u)):
        state = decay * state + drive * u[t]
        out[t] = 2 * (c @ state).real
    return out


def s4_core(u, a, b, c, dt):
    """One channel of S4 (arXiv:2111.00396), bilinear, with a dense transition a [n,n]; solved, not inverted."""
    eye = np.eye(len(a))
    left, right = eye - dt / 2 * a, eye + dt / 2 * a
    state = np.zeros(len(a), dtype=complex)
    out = np.zeros(len(u))
    for t in range(len(u)):
        state = np.linalg.solve(left, right @ state + dt * b * u[t])
        out[t] = 2 * (c @ state).real
    return out


def gated_sum(a, b):
    """h_t = a_t h_{t-1} + b_t, elementwise."""
    state = np.zeros_like(a[0])
    out = np.zeros_like(a)
    for t in range(len(a)):
        state = a[t] * state + b[t]
        out[t] = state
    return out


# --- whole mixers --------------------------------------------------------------------------------
@mixer("lru", sizes=dict(d=4, n=3), settings=["n"], inputs={"u": "d"}, outputs={"y": "d"},
       params={"nu": ("n", lambda rng, shape, s: np.log(-0.5 * np.log(rng.uniform(0.81, 0.998, shape)))),
               "theta": ("n", lambda rng, shape, s: np.log(rng.uniform(0.1, 6.28, shape))),
               "B": ("n d", complex_normal()), "C": ("d n", complex_normal()), "skip": "d"})
def lru(p, s, u):
    a = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    gamma = np.sqrt(1 - np.abs(a) ** 2)
    return {"y": diagonal_ssm(u, a, gamma[:, None] * p["B"], p["C"]) + p["skip"] * u}


S4_PARAMS = {"A_re": ("d n", around(np.log(0.5))),
             "A_im": ("d n", lambda rng, shape, s: np.pi * np.arange(shape[1]) + 0.1 * rng.standard_normal(shape)),
             "C": ("d n", complex_normal()), "log_dt": ("d", uniform(-3.0, -0.5))}


@mixer("s4d", sizes=dict(d=3, n=4), settings=["n"], inputs={"u": "d"}, outputs={"y": "d"},
       params=S4_PARAMS | {"skip": "d"})
def s4d(p, s, u):
    a = -np.exp(p["A_re"]) + 1j * p["A_im"]
    y = [s4d_core(u[:, c], a[c], p["C"][c], np.exp(p["log_dt"][c])) for c in range(u.shape[1])]
    return {"y": np.stack(y, 1) + p["skip"] * u}


@mixer("s4", sizes=dict(d=3, n=4), settings=["n"], inputs={"u": "d"}, outputs={"y": "d"},
       params=S4_PARAMS | {"P": ("d n", around(1.0)), "B": ("d n", around(1.5))})
def s4(p, s, u):
    y = []
    for c in range(u.shape[1]):
        a = np.diag(-np.exp(p["A_re"][c]) + 1j * p["A_im"][c]) - np.outer(p["P"][c], p["P"][c])
        y.append(s4_core(u[:, c], a, p["B"][c], p["C"][c], np.exp(p["log_dt"][c])))
    return {"y": np.stack(y, 1)}


@mixer("rglru", sizes=dict(e=5, c=8), settings=["c"], inputs={"x": "e"}, outputs={"y": "e"},
       params={"L": ("e", lambda rng, shape, s: np.log(np.expm1(-np.log(rng.uniform(0.9, 0.999, shape)) / 8))),
               "r.weight": "e e'", "r.bias": "e", "i.weight": "e e'", "i.bias": "e"})
def rglru(p, s, x):
    """arXiv:2402.19427; L is the logarithm-like parameter of the paper's Lambda."""
    r, i = sigmoid(affine(p, "r", x)), sigmoid(affine(p, "i", x))
    a = np.exp(-s["c"] * softplus(p["L"]) * r)
    return {"y": gated_sum(a, np.sqrt(1 - a**2) * i * x)}


@mixer("mingru", sizes=dict(d=4, e=5), settings=["e"], inputs={"x": "d"}, outputs={"y": "e"},
       params={"z.weight": "d e", "g.weight": "d e"})
def mingru(p, s, x):
    z = sigmoid(linear(x, p["z.weight"]))
    return {"y": gated_sum(1 - z, z * linear(x, p["g.weight"]))}


@mixer("minlstm", sizes=dict(d=4, e=5), settings=["e"], inputs={"x": "d"}, outputs={"y": "e"},
       params={"f.weight": "d e", "f.bias": "e", "i.weight": "d e", "i.bias": "e", "g.weight": "d e"})
def minlstm(p, s, x):
    f, i = sigmoid(affine(p, "f", x)), sigmoid(affine(p, "i", x))
    return {"y": gated_sum(f / (f + i), i / (f + i) * linear(x, p["g.weight"]))}


@discrete
def _known(rng, shape, s):
    """1 for the first five steps, 0 after: a prompt, then the model's own output."""
    return np.broadcast_to((np.arange(shape[1]) < 5).astype(float), shape).copy()


@mixer("spacetime", sizes=dict(c=3, n=4), settings=["n"], inputs={"u": "c", "known": ("", _known)},
       outputs={"y": "c"}, params={"a": "c n", "B": "c n", "C": "c n"}, length=9)
def spacetime(p, s, u, known):
    """Companion SSM (arXiv:2303.09489) with dense companion matrices, closed loop where known is 0."""
    n = s["n"]
    y = np.zeros_like(u)
    for c in range(u.shape[1]):
        companion = np.diag(np.ones(n - 1), -1)
        companion[:, -1] += p["a"][c] / np.abs(p["a"][c]).sum()
        state, last = np.zeros(n), 0.0
        for t in range(len(u)):
            state = companion @ state + p["B"][c] * (u[t, c] if known[t] > 0 else last)
            last = y[t, c] = p["C"][c] @ state
    return {"y": y}


@mixer("h3", sizes=dict(d=4, n=3, m=3), settings=["n", "m"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"q.weight": "d d'", "v.weight": "d d'", "k.weight": "d d'", "k.conv.w": "d taps=3", "y.weight": "d d'"}
       | {f"s.s4d.{name}": draw for name, draw in (S4_PARAMS | {"skip": "d"}).items()})
def h3(p, s, x):
    """arXiv:2212.14052: shift (a short convolution of k) times v, a diagonal SSM, gated by q."""
    q, v, k = linear(x, p["q.weight"]), linear(x, p["v.weight"]), conv_linear(p, "k", x)
    inner = {path.removeprefix("s.s4d."): value for path, value in p.items() if path.startswith("s.s4d.")}
    return {"y": linear(q * s4d(inner, s, k * v)["y"], p["y.weight"])}
