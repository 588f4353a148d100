#!/usr/bin/env python3
"""What seqc gives for the files beside this one, and what is right.

    python3 see.py SEQC [NAME...]          (needs numpy and safetensors; names: parts of `file:mixer`)

One line a case: `ok` or `FAULT`, file:mixer, what there is, what is right. Exit code 1 while there is a fault.
Right values are written out here in float64, as loops and dense matrices; nothing of seqc is used for them.
"""
import json, pathlib, subprocess, sys, tempfile
import numpy as np
from safetensors.numpy import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
SEQC = sys.argv[1]
ONLY = sys.argv[2:]
FOLDER = tempfile.TemporaryDirectory(prefix="faults-")
WORK = pathlib.Path(FOLDER.name)
COUNT = {"ok": 0, "FAULT": 0}


def show(ok, name, now, right=""):
    if ONLY and not any(o in name for o in ONLY):
        return
    word = "ok" if ok else "FAULT"
    COUNT[word] += 1
    print(f"{word:5} {name}: {now}" + (f"; right: {right}" if right else ""), flush=True)


def wanted(name):
    return not ONLY or any(o in name or name in o for o in ONLY)


def call(*args, seconds=60):
    try:
        r = subprocess.run([SEQC, *map(str, args)], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return 124, "", f"no end within {seconds} s"
    return r.returncode, r.stdout, r.stderr


def said(text):
    lines = [l for l in text.splitlines() if l and not l.startswith((" ", "warning"))]
    return (lines or text.splitlines() or ["no message"])[0][:150]


class Failed(Exception):
    pass


def ev(file, mixer, inputs, *more, dtype=np.float32):
    """Outputs of `seqc eval`."""
    i, o = WORK / "in.safetensors", WORK / "out.safetensors"
    o.unlink(missing_ok=True)
    save_file({k: np.ascontiguousarray(v, dtype if np.asarray(v).dtype.kind == "f" else None) for k, v in inputs.items()}, i)
    code, _, err = call("eval", HERE / f"{file}.seq", "--mixer", mixer, "--inputs", i, "--outputs", o, *more)
    if code:
        raise Failed(said(err))
    return load_file(o)


def facts(file):
    code, out, err = call("explain", "--json", HERE / f"{file}.seq")
    if code:
        raise Failed(said(err))
    return {m["name"]: m for m in json.loads(out)}


def off(got, want):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    if got.shape != want.shape or not np.isfinite(got).all():
        return np.inf
    return np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)


def words(a):
    return " ".join(f"{v:.6g}" for v in np.asarray(a, np.float64).ravel()[:6])


def value(file, mixer, inputs, want, *more, out="y", tol=1e-5):
    """want: a list of arrays, one of which has to be met."""
    name = f"{file}:{mixer} {' '.join(more)}".strip()
    if not wanted(name):
        return
    try:
        got = ev(file, mixer, inputs, *more)[out]
    except Failed as e:
        return show(False, name, e, " or ".join(map(words, want)))
    show(min(off(got, w) for w in want) < tol, name, f"{out} = {words(got)}", " or ".join(map(words, want)))


def prefix(file, mixer, make, out, T=6):
    """What is called causal may not change on the first T steps when one more comes."""
    name = f"{file}:{mixer} prefix"
    if not wanted(name):
        return
    called = "causal" in facts(file)[mixer]["qualities"]
    whole = make(T + 1)
    part = {k: v[:, :T] for k, v in whole.items()}
    try:
        a, b = ev(file, mixer, whole)[out][:, :T], ev(file, mixer, part)[out]
    except Failed as e:
        return show(False, name, e)
    change = np.abs(a - b).max()
    show(change < 1e-5 or not called, name, f"{'causal' if called else 'not causal'}, the first {T} steps change by {change:.3g} with step {T + 1}", "no change, or not called causal")


def parts(file, mixer, x, cuts, out, name, *sets):
    """The same sequence in parts, through states."""
    got, states, at = [], None, 0
    for n, size in enumerate(cuts):
        more = [*sets, "--state-out", WORK / f"state{n}.safetensors"] + (["--state-in", states] if states else [])
        got.append(ev(file, mixer, {name: x[:, at:at + size]}, *more)[out])
        states, at = WORK / f"state{n}.safetensors", at + size
    return np.concatenate(got, 1)


R = np.random.default_rng(7)
n1 = lambda *v: np.array(v, np.float64)[None]          # [1, T]
col = lambda *v: np.array(v, np.float64)[None, :, None]  # [1, T, 1]

# masked_rows
value("masked_rows", "max_of_row", {"q": col(1, 1, 1), "k": col(1, 2, 3)}, [n1(-1, -1, -1)], out="z")
prefix("masked_rows", "max_of_row", lambda T: {"q": np.ones((1, T, 1)), "k": 1.0 + np.arange(T)[None, :, None]}, "z")
value("masked_rows", "logsumexp_of_row", {"q": col(1, 1, 1), "k": col(0, 0, 0)}, [np.log(n1(1, 2, 3))], out="z")
prefix("masked_rows", "logsumexp_of_row", lambda T: {"q": np.ones((1, T, 1)), "k": np.zeros((1, T, 1))}, "z")
prefix("masked_rows", "row_sum_without_data", lambda T: {"x": np.ones((1, T, 2))}, "y")

# sums_over_lags
w = lambda g, ok=lambda l: True: col(*[sum(g(t - s) for s in range(4) if ok(t - s)) for t in range(4)])
ones = {"x": np.ones((1, 4, 1))}
both = w(lambda l: np.exp(-abs(l)))
value("sums_over_lags", "weight_inline", ones, [both], "--set", "d=1")
value("sums_over_lags", "weight_is_a_kernel", ones, [both], "--set", "d=1")
value("sums_over_lags", "one_sided_inside_exp", ones, [w(lambda l: np.exp(np.exp(-l)), lambda l: l >= 0)], "--set", "d=1")

# checks_but_does_not_build
F = "checks_but_does_not_build"
want = n1(*[sum(1 / (i + j + 1) for j in range(3)) for i in range(3)])
value(F, "dense_matrix_of_a_number", {"x": n1(1, 1, 1)}, [want])
value(F, "dense_matrix_of_a_number", {"x": n1(1, 1, 1)}, [want], "--form", "matrix")
want = [np.repeat(col(*[sum(np.exp(np.exp(j - i)) for j in range(i + 1)) for i in range(3)]), 2, 2)]
value(F, "function_of_a_static_matrix", {"x": np.ones((1, 3, 2))}, want)
value(F, "function_of_a_static_matrix", {"x": np.ones((1, 3, 2))}, want, "--form", "matrix")
x = R.standard_normal((1, 7, 3)); s = 0.5 * x[0] @ x[0].T
want = np.stack([sum((s[i, j] - s[i, :i + 1].mean()) * x[0, j] for j in range(i + 1)) for i in range(7)])[None]
value(F, "row_less_its_mean", {"x": x}, [want])
if wanted(F + ":row_less_its_mean in parts"):
    try:
        e = off(parts(F, "row_less_its_mean", x, [4, 1, 2], "y", "x"), want)
        show(e < 1e-5, F + ":row_less_its_mean in parts", f"off by {e:.2g}", "what the whole gives")
    except Failed as e:
        show(False, F + ":row_less_its_mean in parts", e, "what the whole gives")

# gradients
def grad(mixer, inputs, name, want, *more, tol=1e-4, f="gradients", dtype=np.float32):
    title = f"{f}:{mixer} grad.{name} {' '.join(more)}".strip()
    if not wanted(title):
        return
    try:
        got = ev(f, mixer, inputs, "--grad", *more, dtype=dtype)["grad." + name]
    except Failed as e:
        return show(False, title, e, words(want))
    show(np.isfinite(got).all() and np.abs(got - want).max() <= tol * max(1, np.abs(want).max()), title, words(got), words(want))

c = {"c": n1(0, -50, -100), "v": n1(1, 1, 1), "q": n1(1, 1, 1), "cotangent.o": n1(1, 1, 1)}
for m in ("exponential_in_the_middle", "exponential_last"):
    grad(m, c, "q", n1(2, 2, 2)); grad(m, c, "q", n1(2, 2, 2), "--backend", "clif", "--form", "matrix")
grad("exponential_in_the_middle", {**c, "c": n1(0, -400, -800)}, "q", n1(2, 2, 2), "--backend", "interp", "--dtype", "f64", dtype=np.float64)
zero = {"x": n1(0, 0), "c": np.ones(4), "cotangent.y": n1(1, 1)}
grad("polynomial", zero, "x", n1(1, 1)); grad("polynomial", zero, "c", np.array([2.0, 0, 0, 0]))
grad("polynomial", zero, "x", n1(1, 1), "--backend", "interp")
gate = {"x": col(1, 1), "r": col(-100, -100), "L": np.zeros(1), "cotangent.y": col(1, 1)}
grad("shut_gate", gate, "r", col(0, 0)); grad("shut_gate", gate, "L", np.zeros(1))
value("gradients", "inverse_softplus_of_large", {"x": n1(95, 88, 2)}, [n1(*[v + np.log(-np.expm1(-v)) for v in (95., 88., 2.)])])
grad("inverse_softplus_of_large", {"x": n1(95), "cotangent.y": n1(1)}, "x", n1(1))
grad("relu_at_zero", {"x": n1(0, 1, -1), "cotangent.y": n1(1, 1, 1)}, "x", n1(0, 1, 0))
one = {"x": col(1), "cotangent.y": col(1)}
grad("max_of_normalised_rows", one, "x", col(1), "--set", "d=1"); grad("max_of_normalised_rows", one, "x", col(1), "--set", "d=1", "--form", "matrix")

# resume_in_parts
def resume(mixer, x, want, cuts):
    title = f"resume_in_parts:{mixer} d={x.shape[2]} in parts of {cuts}"
    if not wanted(title):
        return
    try:
        e = off(parts("resume_in_parts", mixer, x, cuts, "z", "x", "--set", f"d={x.shape[2]}"), want)
        show(e < 1e-5, title, f"off by {e:.2g}", "0")
    except Failed as e:
        show(False, title, e, "what the whole gives")

def late_window(x):
    at = lambda t: x[0, t] if t >= 0 else 0 * x[0, 0]
    return np.stack([sum(k * at(t - 1 - k) for k in range(3)) for t in range(x.shape[1])])[None]

def late_weights(x):
    at = lambda t: x[0, t] if t >= 0 else 0 * x[0, 0]
    def u(t):
        s = np.array([at(t - k) @ at(t) for k in range(3)]); s = np.exp(s - s.max()); s /= s.sum()
        return sum(k * s[k] * at(t - k) for k in range(3))
    return np.stack([u(t - 1) if t else 0 * x[0, 0] for t in range(x.shape[1])])[None]

for d in (3, 4):
    x = R.standard_normal((1, 12, d))
    for m, f in (("late_window", late_window), ("late_weights", late_weights)):
        for cuts in ([12], [7, 5], [4, 1, 1, 1, 5]):
            resume(m, x, f(x), cuts)

# softmax_tail
def attention_grad_c(i):
    q, k, v, c, g = (i[n][0] for n in ("q", "k", "v", "c", "cotangent.o"))
    T, out = len(k), np.zeros_like(c)
    for r in range(q.shape[1]):
        s = q[:, r] @ k.T + c[:, None, r] - c[None, :, r]
        s[np.triu_indices(T, 1)] = -np.inf
        P = np.exp(s - s.max(1, keepdims=True)); P /= P.sum(1, keepdims=True)
        dP = g[:, r] @ v.T
        dS = P * (dP - (P * dP).sum(1, keepdims=True))
        out[:, r] = dS.sum(1) - dS.sum(0)
    return out[None]

for T, r, dk in ((37, 2, 3), (37, 2, 4), (37, 1, 3), (33, 3, 2), (45, 2, 5), (70, 3, 7), (29, 1, 1)):
    i = {"q": (1, T, r, dk), "k": (1, T, dk), "v": (1, T, dk), "cotangent.o": (1, T, r, dk)}
    i = {n: R.standard_normal(s).astype(np.float32) for n, s in i.items()}
    i["c"] = np.repeat(-20.0 * np.arange(T)[None, :, None], r, 2)
    want = attention_grad_c({n: np.asarray(a, np.float64) for n, a in i.items()})
    for more in ([], ["--backend", "clif"], ["--form", "matrix"]):
        title = f"softmax_tail:decayed_attention T={T} r={r} dk={dk} {' '.join(more)}".strip()
        if wanted(title):
            e = off(ev("softmax_tail", "decayed_attention", i, "--grad", "--set", f"r={r}", "--set", f"dk={dk}", *more)["grad.c"], want)
            show(e < 1e-3, title, f"grad.c off by {e:.2g} of its largest entry", "below 1e-3")

# router_underflow
value("router_underflow", "picks", {"s": np.array([[[0., -400., -300., -500.]]])}, [np.array([[[1., 0., 1., 0.]]])], out="p")
if wanted("router_underflow:routed"):
    code, out, err = call("verify", HERE / "router_underflow.seq", "--mixer", "routed", "--quick")
    show(code == 0, "router_underflow:routed verify", f"exit {code}", "exit 0")

# angles
for T in (130, 1000, 2048):
    x = R.standard_normal((1, T, 4)).astype(np.float32)
    if wanted("angles:dft"):
        want, got = np.fft.fft(x.astype(np.float64), axis=1).real, ev("angles", "dft", {"x": x}, "--set", "d=4")["y"].astype(np.float64)
        e = np.sqrt(((got - want) ** 2).mean() / (want ** 2).mean())
        show(e < 3e-6, f"angles:dft T={T}", f"relative error {e:.2g}", "below 3e-6")
if wanted("angles:dft verify"):
    code, out, err = call("verify", HERE / "angles.seq", "--quick")
    show("does not fit" not in out + err, "angles:dft verify", f"exit {code}" + (", with the note `a derived program does not fit together`" if "does not fit" in out + err else ""), "no such note under a certificate")

# equal_up_to_algebra, forms_not_found, entries
def shape(m):
    g = m["generation"] or {}
    return (m["class"], tuple(f["form"] for f in m["forms"]), g["Ok"]["state_bytes"] if "Ok" in g else "none")

def forms(m):
    return [f["form"] for f in m["forms"]]

F = "equal_up_to_algebra"; all_ = facts(F)
for m in ("halved", "divided", "stopped", "re_inside", "late_product"):
    a, b = shape(all_[m]), shape(all_[m + "_plain"])
    show(a == b, f"{F}:{m}", a, b)
F = "entries_of_lags_and_tables"; all_ = facts(F)
for m in all_:
    show("chunked" in forms(all_[m]), f"{F}:{m}", forms(all_[m]), "chunked among them")
F = "forms_not_found"; all_ = facts(F)
show(shape(all_["lags_outside"])[:2] == shape(all_["lags_outside_plain"])[:2], F + ":lags_outside", shape(all_["lags_outside"]), shape(all_["lags_outside_plain"]))
show("chunked" in forms(all_["decay_along_values"]), F + ":decay_along_values", forms(all_["decay_along_values"]), "chunked among them")
show(shape(all_["latent_cache"])[2] == shape(all_["latent_cache_by_hand"])[2], F + ":latent_cache", shape(all_["latent_cache"])[2], shape(all_["latent_cache_by_hand"])[2])

# false_reasons
F = "false_reasons"; all_ = facts(F)
text = lambda m: [w["text"] for e in m["equations"] for w in e["why"]] + [w["why"] for e in m["equations"] for w in e["missing"]]
bad = [t for t in text(all_["inputs_called_states"]) if "both depend on the state" in t]
show(not bad, F + ":inputs_called_states", bad[:1], "k and v are inputs")
bad = [t for t in text(all_["outer"]) if "`in`" in t] + [w["at"]["text"].strip() for e in all_["outer"]["equations"] for w in e["why"] if w["at"] and "2 * z" in w["at"]["text"]][:1]
show(not bad, F + ":outer", bad, "the line of `y[t]`, its decay `exp(-r)`")
show("time-invariant" not in all_["not_time_invariant"]["qualities"], F + ":not_time_invariant", all_["not_time_invariant"]["qualities"], "not time-invariant")
bad = [t for t in text(all_["linear_and_nonlinear"]) if "linear" in t]
show(len({"not linear" in t or "nonlinear" in t for t in bad}) < 2, F + ":linear_and_nonlinear", bad, "linear")
show(all_["low_rank_and_not"]["class"] != "low rank", F + ":low_rank_and_not", all_["low_rank_and_not"]["class"], "not low rank")
show(all_["called_an_objective"]["class"] != "objective", F + ":called_an_objective", all_["called_an_objective"]["class"], "no objective is written")

# wrong_class_comment
code, out, err = call("check", HERE / "wrong_class_comment.seq")
show("E23" in out + err, "wrong_class_comment:decay check", f"exit {code}, {'E23' if 'E23' in out + err else 'silent'}", "E23")

if not ONLY or COUNT["ok"] + COUNT["FAULT"]:
    print(f"{COUNT['FAULT']} faults, {COUNT['ok']} right")
sys.exit(COUNT["FAULT"] > 0)
