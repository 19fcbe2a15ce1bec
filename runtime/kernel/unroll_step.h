/* The steps of unroll.h for one instruction set; included by each isa_*.c after simd.h, and by unroll_strict.c. */
#include "unroll.h"

#ifndef VCE_UNROLL_DOUBLE
typedef float real;
#endif

VCE_INLINE vf load(const real *p, int64_t n) { return n >= W ? vf_load(p) : vf_load_part(p, (int)n); }

VCE_INLINE void store(real *p, vf v, int64_t n)
{
    if (n >= W)
        vf_store(p, v);
    else
        vf_store_part(p, v, (int)n);
}

VCE_INLINE real logistic(real x)
{
    real lanes[W];
    vf_store(lanes, vf_sigmoid(vf_set(x)));
    return lanes[0];
}

/* Where the arrays of step t, stream b begin. */
#define ROW(name, t, width) ((real *)u->name + ((t) * u->batch + b) * (width))
#define LAST_H(t) ((t) ? ROW(states, (t) - 1, u->hidden) : ROW(start, 0, u->hidden))

static void expand(const vce_unroll *u, const real *open, real *mask)
{
    const int32_t *starts = u->starts;
    for (int64_t d = 0; d < starts[0]; d++)
        mask[d] = 1;
    for (int32_t j = 0; j < u->blocks; j++)
        for (int64_t d = starts[j]; d < starts[j + 1]; d++)
            mask[d] = open[j];
}

/* The soft mask of each block: eq. 8. */
static void soft_blocks(const vce_unroll *u, real logit, real *open)
{
    const real *middles = u->middles;
    vf share = vf_set(logistic(logit)), sharpness = vf_set((real)u->sharpness);
    for (int64_t j = 0; j < u->blocks; j += W) {
        int64_t left = u->blocks - j;
        store(open + j, vf_sigmoid(sharpness * (share - load(middles + j, left))), left);
    }
}

/* Step t begins: its mask, and what the recurrent product is taken of. */
static void begin_step(const vce_unroll *u, int64_t t, int64_t b)
{
    const real *h = LAST_H(t), *thresholds = u->thresholds, *weights = u->gate_hidden;
    const int32_t *starts = u->starts;
    real keep = *ROW(keep, t, 1), *operand = ROW(operand, t, u->hidden), *mask = ROW(mask, 0, u->hidden);
    real *open = ROW(open, t, u->blocks), sum = (real)starts[0];
    if (u->blocks) {
        vf dot = vf_set(0);
        for (int64_t d = 0; d < u->hidden; d += W)
            dot = vf_fma(load(weights + d, u->hidden - d), load(h + d, u->hidden - d), dot);
        real logit = *ROW(gate, t, 1) + keep * vf_sum(dot);
        *ROW(logits, t, 1) = logit;
        soft_blocks(u, logit, open);
        for (int32_t j = 0; j < u->blocks; j++) {
            if (u->hard)
                open[j] = logit >= thresholds[j];
            else if (u->eps > 0)
                open[j] = open[j] > (real)(1 - u->eps) ? 1 : open[j] < (real)u->eps ? 0 : open[j];
            sum += open[j] * (real)(starts[j + 1] - starts[j]);
        }
    }
    expand(u, open, mask);
    *ROW(shares, t, 1) = sum / (real)u->hidden;
    for (int64_t d = 0; d < u->hidden; d += W) {
        int64_t n = u->hidden - d;
        store(operand + d, load(mask + d, n) * (vf_set(keep) * load(h + d, n)), n);
    }
}

/* Step t ends: the gates, eq. 13 to 16. */
static void end_step(const vce_unroll *u, int64_t t, int64_t b)
{
    int64_t D = u->hidden, width = u->gates * D;
    const real *h = LAST_H(t), *a = ROW(a, t, width), *mask = ROW(mask, 0, D), *bias = u->reset_bias;
    real *p = ROW(products, t, width), *candidate = ROW(candidate, t, D), *state = ROW(states, t, D);
    vf keep = vf_set(*ROW(keep, t, 1));
    for (int64_t d = 0; d < D; d += W) {
        int64_t n = D - d;
        vf step = load(mask + d, n), old = keep * load(h + d, n), c;
        if (u->gates == 3) {
            vf z = vf_sigmoid(load(a + d, n) + load(p + d, n));
            vf r = vf_sigmoid(load(a + D + d, n) + load(p + D + d, n));
            vf inside = load(p + 2 * D + d, n) + load(bias + d, n);
            c = vf_tanh(vf_fma(r, inside, load(a + 2 * D + d, n)));
            store(p + d, z, n);
            store(p + D + d, r, n);
            store(p + 2 * D + d, inside, n);
            step = step * z;
        } else {
            c = vf_tanh(load(a + d, n) + load(p + d, n));
        }
        store(candidate + d, c, n);
        store(state + d, vf_fma(step, c - old, old), n);
    }
}

static void unroll_forward(const vce_unroll *u, int64_t i)
{
    for (int64_t b = 0; b < u->batch; b++) {
        if (i > 0)
            end_step(u, i - 1, b);
        if (i < u->steps)
            begin_step(u, i, b);
    }
}

/* The gradient of step t begins, from that of its h: through the gates to the products, the mask and hp itself. */
static void begin_gradient(const vce_unroll *u, int64_t t, int64_t b)
{
    int64_t D = u->hidden, width = u->gates * D;
    const real *h = LAST_H(t), *from_after = ROW(d_start, 0, D), *from_output = ROW(d_states, t, D);
    const real *candidate = ROW(candidate, t, D);
    const real *p = ROW(products, t, width);
    real *d_p = ROW(d_products, t, width), *d_a = ROW(d_a, t, width);
    real *mask = ROW(mask, 0, D), *d_mask = ROW(d_mask, 0, D), *d_direct = ROW(d_start, 0, D);
    vf keep = vf_set(*ROW(keep, t, 1)), one = vf_set(1);
    expand(u, ROW(open, t, u->blocks), mask);
    for (int64_t d = 0; d < D; d += W) {
        int64_t n = D - d;
        vf e = load(mask + d, n), c = load(candidate + d, n), change = c - keep * load(h + d, n);
        vf dh = load(from_after + d, n) + load(from_output + d, n);
        if (u->gates == 3) {
            vf z = load(p + d, n), r = load(p + D + d, n), inside = load(p + 2 * D + d, n);
            vf d_candidate = dh * e * z * (one - c * c), d_z = dh * e * change * z * (one - z);
            vf d_r = d_candidate * inside * r * (one - r);
            store(d_mask + d, dh * z * change, n);
            store(d_direct + d, dh * (one - e * z), n);
            store(d_a + d, d_z, n);
            store(d_a + D + d, d_r, n);
            store(d_a + 2 * D + d, d_candidate, n);
            store(d_p + d, d_z, n);
            store(d_p + D + d, d_r, n);
            store(d_p + 2 * D + d, d_candidate * r, n);
        } else {
            vf d_candidate = dh * e * (one - c * c);
            store(d_mask + d, dh * change, n);
            store(d_direct + d, dh * (one - e), n);
            store(d_a + d, d_candidate, n);
            store(d_p + d, d_candidate, n);
        }
    }
}

/* Gradient of step t's logit from that of its mask; straight through the hard mask. */
static real d_logit(const vce_unroll *u, int64_t t, int64_t b)
{
    const int32_t *starts = u->starts;
    const real *d_mask = ROW(d_mask, 0, u->hidden), logit = *ROW(logits, t, 1);
    real *soft = u->slopes;
    real share = logistic(logit), slope = (real)u->sharpness * share * (1 - share), sum = 0;
    real d_share = *ROW(d_shares, t, 1) / (real)u->hidden;
    soft_blocks(u, logit, soft);
    for (int32_t j = 0; j < u->blocks; j++) {
        real d_open = d_share * (real)(starts[j + 1] - starts[j]), s = soft[j];
        for (int64_t d = starts[j]; d < starts[j + 1]; d++)
            d_open += d_mask[d];
        int flat = !u->hard && (s > (real)(1 - u->eps) || s < (real)u->eps);
        sum += flat ? 0 : d_open * s * (1 - s);
    }
    return sum * slope;
}

/* The gradient of step t ends: through the recurrent product and the mask to the state before it. */
static void end_gradient(const vce_unroll *u, int64_t t, int64_t b)
{
    int64_t D = u->hidden;
    const real *h = LAST_H(t), *mask = ROW(mask, 0, D), *d_operand = ROW(d_operand, 0, D), *weights = u->gate_hidden;
    real *d_mask = ROW(d_mask, 0, D), *dh = ROW(d_start, 0, D), *d_weights = ROW(d_gate_hidden, 0, D);
    vf keep = vf_set(*ROW(keep, t, 1));
    for (int64_t d = 0; d < D; d += W) {
        int64_t n = D - d;
        vf through = load(d_operand + d, n), old = keep * load(h + d, n);
        store(d_mask + d, vf_fma(through, old, load(d_mask + d, n)), n);
        store(dh + d, keep * vf_fma(through, load(mask + d, n), load(dh + d, n)), n);
    }
    if (!u->blocks)
        return;
    real gradient = d_logit(u, t, b);
    *ROW(d_gate, t, 1) = gradient;
    vf kept = keep * vf_set(gradient);
    for (int64_t d = 0; d < D; d += W) {
        int64_t n = D - d;
        store(d_weights + d, vf_fma(kept, load(h + d, n), load(d_weights + d, n)), n);
        store(dh + d, vf_fma(kept, load(weights + d, n), load(dh + d, n)), n);
    }
}

static void unroll_backward(const vce_unroll *u, int64_t i)
{
    for (int64_t b = 0; b < u->batch; b++) {
        if (i < u->steps)
            end_gradient(u, i, b);
        if (i > 0)
            begin_gradient(u, i - 1, b);
    }
}
