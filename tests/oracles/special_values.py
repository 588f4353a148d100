"""Pointwise functions and reductions at special values: value and derivatives, by mpmath with 200 digits.

Where a function has a kink or an infinite slope, the row is a convention of the language (docs/language.md, "Derivatives at
kinks"), and where it is taken at an infinity, the row is a limit: both are worked by hand, below, and marked `hand`.
`make_fixtures.py` writes and checks special_values.json from this file. Points are exact in f32.
"""

import json
import pathlib

import mpmath as mp

FILE = pathlib.Path(__file__).parent / "special_values.json"
mp.mp.dps = 200

TINY, HUGE, INF, NAN = 2.0**-100, 2.0**100, float("inf"), float("nan")
FINITE = [0.0, -0.0, 1.0, -1.0, 20.0, -20.0, 88.0, -88.0, 104.0, -104.0, 710.0, -710.0, TINY, -TINY, HUGE, -HUGE]

one = mp.mpf(1)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def sigmoid_slope(x):
    e = mp.exp(-abs(x))
    return e / (1 + e) ** 2


def softplus(x):
    return max(x, mp.mpf(0)) + mp.log1p(mp.exp(-abs(x)))


def normal(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def gelu(x):
    return x * mp.erfc(-x / mp.sqrt(2)) / 2


# name: (value, slope, domain). Slopes are the textbook's; mp.diff is held against them in `agree`.
SMOOTH = {
    "exp": (mp.exp, mp.exp, None),
    "expm1": (mp.expm1, mp.exp, None),
    "log": (mp.log, lambda x: 1 / x, lambda x: x > 0),
    "log1p": (mp.log1p, lambda x: 1 / (1 + x), lambda x: x > -1),
    "sqrt": (mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)), lambda x: x > 0),
    "sin": (mp.sin, mp.cos, lambda x: abs(x) <= 710),
    "cos": (mp.cos, lambda x: -mp.sin(x), lambda x: abs(x) <= 710),
    "tanh": (mp.tanh, lambda x: 4 * sigmoid_slope(2 * x), None),
    "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x), None),
    "sigmoid": (sigmoid, sigmoid_slope, None),
    "logsigmoid": (lambda x: -softplus(-x), lambda x: sigmoid(-x), None),
    "softplus": (softplus, sigmoid, None),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid_slope(x), None),
    "gelu": (gelu, lambda x: mp.erfc(-x / mp.sqrt(2)) / 2 + x * normal(x), None),
    "inverse_softplus": (lambda x: x + mp.log(-mp.expm1(-x)), lambda x: 1 / -mp.expm1(-x), lambda x: x > 0),
    "relu": (lambda x: max(x, mp.mpf(0)), lambda x: one if x > 0 else 0 * one, lambda x: x != 0),
    "elu": (lambda x: x if x > 0 else mp.expm1(x), lambda x: one if x > 0 else mp.exp(x), None),
    "abs": (abs, mp.sign, lambda x: x != 0),
    "sign": (mp.sign, lambda x: 0 * one, None),
    "floor": (mp.floor, lambda x: 0 * one, None),
    "ceil": (mp.ceil, lambda x: 0 * one, None),
}

# Not smooth at whole numbers.
KINKED = ["relu", "elu", "abs", "sign", "floor", "ceil"]

# By hand: conventions at kinks, and limits. A value that is no number has no slope.
HAND = {
    "exp": [(INF, INF, INF), (-INF, 0, 0), (NAN, NAN, NAN)],
    "expm1": [(INF, INF, INF), (-INF, -1, 0)],
    "log": [(INF, INF, 0), (-1.0, NAN, None), (0.0, -INF, INF)],
    "log1p": [(INF, INF, 0), (-1.0, -INF, INF), (-20.0, NAN, None)],
    "sqrt": [(0.0, 0, 0), (-0.0, 0, 0), (INF, INF, 0), (-1.0, NAN, None)],
    "tanh": [(INF, 1, 0), (-INF, -1, 0), (NAN, NAN, NAN)],
    "erf": [(INF, 1, 0), (-INF, -1, 0)],
    "sigmoid": [(INF, 1, 0), (-INF, 0, 0), (NAN, NAN, NAN)],
    "logsigmoid": [(INF, 0, 0), (-INF, -INF, 1)],
    "softplus": [(INF, INF, 1), (-INF, 0, 0)],
    "inverse_softplus": [(INF, INF, 1), (-1.0, NAN, None), (0.0, -INF, None)],
    "relu": [(0.0, 0, 0), (-0.0, 0, 0), (INF, INF, 1), (-INF, 0, 0), (NAN, NAN, None)],
    "elu": [(INF, INF, 1), (-INF, -1, 0)],
    "abs": [(0.0, 0, 0), (-0.0, 0, 0), (INF, INF, 1), (-INF, INF, -1)],
    "sign": [(INF, 1, 0), (-INF, -1, 0)],
}

# expression: rows (x, y, value, by x, by y), by hand: exact numbers, ties, powers at 0 and of negative numbers.
PAIRS = {
    "max(x, y)": [(1, 1, 1, 0.5, 0.5), (0.0, -0.0, 0, 0.5, 0.5), (2, 1, 2, 1, 0), (1, 2, 2, 0, 1), (-INF, -INF, -INF, 0.5, 0.5), (INF, 1, INF, 1, 0), (HUGE, -HUGE, HUGE, 1, 0), (NAN, 1, NAN, None, None)],
    "min(x, y)": [(1, 1, 1, 0.5, 0.5), (-0.0, 0.0, 0, 0.5, 0.5), (2, 1, 1, 0, 1), (1, 2, 1, 1, 0), (INF, INF, INF, 0.5, 0.5), (1, NAN, NAN, None, None)],
    "x * y": [(0, 0, 0, 0, 0), (0, HUGE, 0, HUGE, 0), (HUGE, TINY, 1, TINY, HUGE), (-1, 710, -710, 710, -1)],
    "x / y": [(0, 1, 0, 1, 0), (1, HUGE, TINY, TINY, -TINY * TINY), (1, TINY, HUGE, HUGE, -HUGE * HUGE), (TINY, TINY, 1, HUGE, -HUGE), (1, INF, 0, 0, 0), (710, -710, -1, -1 / 710, -1 / 710)],
    "x % y": [(7, 3, 1, 1, -2), (-7, 3, 2, 1, 3), (0, 3, 0, 1, 0)],
    "x ^ y": [(0, 0, 1, 0, 0), (0, 0.5, 0, 0, 0), (0, 1, 0, 1, 0), (0, 1.5, 0, 0, 0), (0, 2, 0, 0, 0), (0, 3, 0, 0, 0), (1, 0, 1, 0, 0), (-2, 0, 1, 0, 0), (-2, 3, -8, 12, 0), (-2, 2, 4, -4, 0), (1, 710, 1, 710, 0), (NAN, 0, 1, 0, None), (HUGE, 1, HUGE, 1, None)],
    "select(x > 0, y, x)": [(0, 1, 0, 1, 0), (1, 2, 2, 0, 1), (-1, NAN, -1, 1, 0), (1, INF, INF, 0, 1)],
    "select(x > 0, log(x) * y, 0)": [(0, 1, 0, 0, 0), (-1, 2, 0, 0, 0), (1, 3, 0, 3, 0), (0, INF, 0, 0, 0)],
    "select(x > 0, y / x, y)": [(0, 1, 1, 0, 1), (-1, 2, 2, 0, 1), (1, 3, 3, -3, 1), (2, 8, 4, -2, 0.5)],
    "select(x < 20, exp(x) * y, y)": [(710, 1, 1, 0, 1), (0, 2, 2, 2, 1), (INF, 3, 3, 0, 1)],
    "y * sqrt(x)": [(0, 1, 0, 0, 0), (4, 3, 6, 0.75, 2), (TINY, 1, 2.0**-50, 2.0**49, 2.0**-50)],
    "y * sqrt(-expm1(2 * x))": [(0, 1, 0, 0, 0), (-710, 1, 1, 0, 1)],
}

ROWS = [[0, 0, 0, 0], [0.0, -0.0, 1, 1], [1, 1, 1, -1], [0, 2, 3, 4], [0, 2, 3, 0], [88, 88, -88, 0], [710, 0, -710, 1], [104, -104, 20, -20], [HUGE, HUGE, 1, 0], [TINY, 0, -TINY, TINY], [1, 20, 20, 20]]
ENDLESS = [[-INF, 0, 1, 1], [-INF, -INF, -INF, -INF]]


def extreme(pick):
    def of(row):
        best = pick(row)
        ties = [float(x == best) for x in row]
        return best, [t / sum(ties) for t in ties]

    return of


def product(row):
    rest = [mp.fprod(mp.mpf(x) for j, x in enumerate(row) if j != k) for k in range(len(row))]
    return mp.fprod(map(mp.mpf, row)), rest


def logsumexp(row):
    high = mp.mpf(max(row))
    if high == -mp.inf:
        return high, [0] * len(row)
    each = [mp.exp(mp.mpf(x) - high) if x != -INF else mp.mpf(0) for x in row]
    return high + mp.log(sum(each)), [e / sum(each) for e in each]


def weighted(row):
    """Of `softmax(x)`, the sum with weights 1, 2, 3, 4."""
    p = logsumexp(row)[1]
    mean = sum((k + 1) * q for k, q in enumerate(p))
    return mean, [q * (k + 1 - mean) for k, q in enumerate(p)]


REDUCTIONS = {
    "sum[n](x)": lambda row: (mp.fsum(map(mp.mpf, row)), [1] * 4),
    "mean[n](x)": lambda row: (mp.fsum(map(mp.mpf, row)) / 4, [0.25] * 4),
    "prod[n](x)": product,
    "max[n](x)": extreme(max),
    "min[n](x)": extreme(min),
    "logsumexp[n](x)": logsumexp,
    "sum[n](softmax[n](x) * (1 + range(n)))": weighted,
    "argmax[n](x)": lambda row: (row.index(max(row)), [0] * 4),
    "argmin[n](x)": lambda row: (row.index(min(row)), [0] * 4),
}


def number(x):
    """JSON has no infinities; what exceeds f64 is one, what underflows it 0."""
    if x is None:
        return None
    x = float(x)
    return x if mp.isfinite(x) else str(x)


def agree(name, value, slope, x):
    """The textbook's slope is that of the value."""
    if abs(x) < HUGE:
        got = mp.diff(value, x, h=mp.mpf(10) ** -80)
        assert abs(got - slope(x)) <= mp.mpf(10) ** -60 * (1 + abs(got)), (name, x)


def functions():
    for name, (value, slope, domain) in SMOOTH.items():
        rows = []
        for x in FINITE:
            at = mp.mpf(x)
            if domain is None or domain(at):
                if name not in KINKED or at != int(at):
                    agree(name, value, slope, at)
                rows.append([number(x), number(value(at)), number(slope(at))])
        yield name, rows + [[number(x) for x in row] for row in HAND.get(name, [])]


def rows_of(name):
    if name.startswith("prod"):
        return [row for row in ROWS if HUGE not in row]  # partial products are beyond f32
    return ROWS + (ENDLESS if name.startswith(("max", "logsumexp", "argmax")) else [])


def table():
    return {
        "functions": dict(functions()),
        "pairs": {k: [[number(x) for x in row] for row in rows] for k, rows in PAIRS.items()},
        "reductions": {
            name: [
                [[number(x) for x in row], number(value), [number(g) for g in grads]]
                for row in rows_of(name)
                for value, grads in [of(row)]
            ]
            for name, of in REDUCTIONS.items()
        },
    }


def dump(value):
    """One line a row."""
    parts = []
    for section, content in value.items():
        inner = ",\n".join(
            f"  {json.dumps(name)}: [\n" + ",\n".join(f"   {json.dumps(row)}" for row in rows) + "\n  ]" for name, rows in content.items()
        )
        parts.append(f' "{section}": {{\n{inner}\n }}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write():
    FILE.write_text(dump(table()))


def problem():
    """What is wrong with the committed table, or None."""
    if not FILE.exists():
        return "no table"
    return None if FILE.read_text() == dump(table()) else "differs from what mpmath gives"
