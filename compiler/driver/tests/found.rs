//! What random mixers found, as small as it gets: each was wrong, or had no form, before it was mended.

mod support;

use support::{certificate, small};

/// Certifies a mixer of `x: seq{d}` with axes `h` and `k`.
fn certified(output: &str, body: &str) {
    let text = format!(
        "seq 1\n\nmixer found(x: seq{{d}}; d = 3, h = 2, k = 4) -> y: seq{{{output}}} {{\n{body}\n}}\n"
    );
    let c = certificate(&text, "found", &small());
    assert!(c.green(), "{text}\n{c}");
}

/// The step keeps one sequence in both orders: from the start as the kernel, from now as what it meets.
#[test]
fn a_kernel_read_off_the_input_that_it_meets() {
    certified(
        "d",
        "f[lag] = x[first + lag]  where lag >= 0 and lag < 3
         y = sum[lag](f[lag] * x[t - lag])",
    );
}

/// Starts are past when a step is taken; a read of the first position elsewhere is carried.
#[test]
fn reads_of_the_first_position() {
    certified(
        "d",
        "u = 0.5 * (x[t-1] + x[t-2])
         state S{d} = x[first]
         S[t] = 0.5 * S[t-1] + u
         y = S * u[first] + x[first]",
    );
}

/// The loop begins before the equation that one of its states starts from.
#[test]
fn starts_come_before_their_loop() {
    certified(
        "d",
        "state S{d}
         r = linear(S[t-1], d -> d)
         v = affine(x, d -> d)
         state Z{d} = v[first]
         Z[t] = 0.5 * Z[t-1] + tanh(r)
         S[t] = sigmoid(x) * tanh(Z)
         y = S",
    );
}

/// Both biases have one gradient, whose axes lie in different orders.
#[test]
fn one_gradient_of_two_parameters() {
    certified(
        "h, k",
        "a = affine(x, d -> h k)
         b = affine(x, d -> k h)
         y = a + b",
    );
}

/// A tail is padded: divisors, steps that write without being told to, a decay that is a factor too.
#[test]
fn tails_of_chunks() {
    let read = "q = linear(x, d -> k)\n y = sum[k](q * S)";
    let states = "state S{k, h}\n u = linear(x, d -> h)\n v = linear(x, d -> )
        param w{k} = uniform(-1, 1)\n param z{h} = uniform(-1, 1)";
    for next in [
        "S[t-1] / (1 + v ^ 2) + w * u",
        "0.9 * S[t-1] + w * z",
        "0.9 * S[t+1] + w * z",
        "S[t-1] + select(v > 0.3, 0, w) * u",
        "S[t-1] + select(v > 0.3, 0, w)",
        "sigmoid(v) * (S[t-1] - 0.2 * w * sum[k](w * S[t-1])) + w * u",
        "S[t-1] - 0.2 * w * sum[k](w * S[t-1])",
    ] {
        certified("h", &format!("{states}\n S[t] = {next}\n {read}"));
    }
}

/// The gradient of what all steps share does not see steps that do not exist.
#[test]
fn tails_of_checkpoints() {
    certified(
        "k",
        "state S{k}
         param w{k} = uniform(-1, 1)
         v = linear(x, d -> )
         P = S[t-1] / (1 + v ^ 2)
         u = linear(x, d -> k)
         S[t] = P - 0.2 * w * sum[k](P * w) + u
         y = S",
    );
}

/// Gradients of parameters that a chunk uses are summed over the batch outside of its loop.
#[test]
fn learned_decays_and_keys() {
    let inputs = "u = linear(x, d -> h)\n q = linear(x, d -> k)";
    for (w, next) in [
        ("w{}", "sigmoid(w) * S[t-1] + q * u"),
        ("w{k}", "sigmoid(w) * S[t-1] + q * u"),
        ("w{h}", "sigmoid(w) * S[t-1] + q * u"),
        ("w{k}", "S[t-1] - 0.2 * w * sum[k](S[t-1] * w) + w * u"),
    ] {
        let body = format!(
            "state S{{k, h}}\n param {w} = uniform(-1, 1)\n {inputs}\n S[t] = {next}\n y = sum[k](q * S)"
        );
        certified("h", &body);
    }
}

/// A sum over an axis that neither the read nor the key has counts its positions.
#[test]
fn means_fed_back() {
    certified(
        "h",
        "state S{k, h}
         g = sigmoid(linear(x, d -> ))
         u = linear(x, d -> h)
         q = linear(x, d -> k)
         S[t] = S[t-1] - g * mean[k](S[t-1]) + q * u
         y = sum[k](q * S)",
    );
    certified(
        "h",
        "state S{k, h}
         u = linear(x, d -> h)
         S[t] = 0.9 * S[t-1] + u
         y = sum[k](S)",
    );
}

/// Outside of a domain a weight may be infinite in f32: it contributes nothing to gradients either.
#[test]
fn weights_that_overflow_outside_of_their_domain() {
    certified(
        "d",
        "state c{}
         c[t] = c[t-1] - 40 - abs(linear(x, d -> ))
         M[i,j] = exp(c[i] - c[j]) * sum[d](x[i] * x[j])  where j <= i
         N[i,j] = 1e-20 ^ (i - j) * sum[d](x[i] * x[j])  where j <= i
         y = sum[j]((M[t,j] + N[t,j]) * x[j])",
    );
}

/// The product of transforms is rounded beside its largest entry: the bound knows.
#[test]
fn a_long_kernel_before_a_norm() {
    certified(
        "d",
        "f[lag] = 0.5 ^ lag  where lag >= 0
         u = sum[lag](f[lag] * silu(x[t - lag]))
         y = u / sqrt(mean[d](u * u) + 1e-6)",
    );
}

/// One past serves both kernels; so does it where one of them is read off the text and counts back from now.
#[test]
fn several_kernels_over_one_sequence() {
    certified(
        "d",
        "param w{d} = uniform(0.5, 1)
         f[lag] = w / (1 + lag)  where lag >= 0
         g[lag] = tanh(w - lag)  where lag >= 0
         y = sum[lag](f[lag] * x[t - lag]) + sum[lag](g[lag] * x[t - lag])",
    );
    certified(
        "d",
        "param w{d} = uniform(0.5, 1)
         f[lag] = w / (1 + lag)  where lag >= 0
         g[lag] = x[first + lag]  where lag >= 0
         y = sum[lag](f[lag] * x[t - lag]) + sum[lag](g[lag] * x[t - lag])",
    );
}

/// Scores of hundreds before a norm: a normaliser of the scores' size, half a unit off in its last place, is a factor of the
/// weights that tiles make anew and that the forward pass does not see.
#[test]
fn scores_of_hundreds_before_a_norm() {
    certified(
        "h",
        "a = tanh(3 * affine(x, d -> h))
         q = affine(a, h -> k)
         p = affine(a, h -> k)
         v = linear(a, h -> h)
         w = affine(a, h -> )
         M[i,j] = softmax[j](sum[k](q[i] * p[j]))  where j <= i and i - j < 6
         u = sum[j](v[j] * M[t,j] * w[j])
         y = u / sqrt(mean[h](u ^ 2) + 1e-6)",
    );
}

/// Two constants of a transition become one: equal over the finite field too.
#[test]
fn constants_that_are_multiplied_when_compiling() {
    certified(
        "h, k",
        "state S{h, d, k}
         p = affine(x, d -> h k)
         r = affine(x, d -> h d)
         P = p * r + S[t-1]
         e = affine(x, d -> h d)
         param w{h, d} = uniform(-1, 1)
         S[t] = P * 0.6 * 0.9 + e * 0.3 * sum[d](w * P)
         y = sum[d](S * r)",
    );
}

/// Causal by way of what reads ahead and is then read late.
#[test]
fn reads_ahead_that_are_read_late() {
    certified(
        "h",
        "state S{k, h} = 0.5
         q = l2norm[k](linear(x, d -> k))
         u = linear(x, d -> h)
         v = u[t+1]
         P = S[t-1] * 0.6 + sum[k](S[t-1] * q) * q * 0.3
         S[t] = P + v * q
         y = sum[k](q * S[t-1])",
    );
    certified(
        "k",
        "state S{k}
         v = linear(x, d -> k)
         w = v[t+1]
         u = linear(x, d -> k)
         S[t] = u + sigmoid(v) * S[t-1] / (1 + w ^ 2)
         y = S[t-1]",
    );
}

/// A position counts only if there is one: these look ahead at the end, though what they read is early.
#[test]
fn positions_that_are_not_there() {
    certified("d", "u = x[t-1]\n y = u[t+1]");
    certified(
        "d",
        "M[i,j] = softmax[j](sum[d](x[i] * x[j-1]))  where j <= i + 1
         y = sum[j](M[t,j] * x[j-1])",
    );
    certified(
        "d",
        "u = sigmoid(x)
         v = u[t+1]
         state S{d} = v[first]
         S[t] = 0.9 * S[t-1] + v
         y = S[t-1]",
    );
}

/// A tick is known when it is over: what reads it later, inside of a recurrence's loop too, comes late enough.
#[test]
fn ticks_that_are_read_late() {
    certified(
        "d",
        "u = mean[h](patch[h](linear(x, d -> k)))
         state S{k}
         S[t] = 0.7 * S[t-1] + u
         w = linear(S[t-1], k -> h d)
         y = unpatch[h](w)",
    );
    // A start that is read off the first tick, of a state with axes of its own.
    certified(
        "d",
        "u = mean[h](patch[h](x))
         state S{d, k} = sum[d](u)[first]
         state R{d, k}
         R[t] = 0.5 * R[t-1] + S[t-1]
         S[t] = 0.5 * S[t-1] + u * linear(u, d -> k)
         w = linear(sum[k](R[t-1]), d -> h d)
         y = unpatch[h](w)",
    );
}

/// A condition on the column of a matrix that is one state.
#[test]
fn columns_that_data_choose() {
    certified(
        "d",
        "u = linear(x, d -> k)
         c = sum[d](x)
         M[i,j] = sum[k](u[i] * u[j])  where j <= i and c[j] > 0.3
         y = sum[j](M[t,j] * x[j])",
    );
}
