/* Trains a gated cell: forward and backward pass over a window of many streams, without the matrix products.
 *
 * The caller computes the large products (with torch), and calls, for T steps:
 *   forward(0); for i in 0..T-1: products[i] = operand[i] U'; forward(i + 1)
 *   backward(T); for i in T-1..0: d_operand = d_products[i] U; backward(i)
 * forward(i) ends step i - 1 by its gates and begins step i by its mask; backward(i) ends the gradient of step i and
 * begins the one of step i - 1. The weights' gradients are products of `operand`, `d_products` and `d_a`.
 *
 * With e the mask over the dimensions (eq. 8 of Jernite et al. 2017) and hp = keep h_{t-1}:
 *   operand = e hp (eq. 9); logit = gate + gate_hidden . hp (eq. 7)
 *   gates 3  z = s(a_z + p_z)  r = s(a_r + p_r)  c = tanh(a_c + r (p_c + reset_bias))  h = hp + e z (c - hp)
 *   gates 1  c = tanh(a + p)   h = hp + e (c - hp)
 * The mask: dimensions before starts[0] are always open; block j, from starts[j] to starts[j + 1], is open by
 * s(sharpness (s(logit) - middles[j])), set to 0 below eps and to 1 above 1 - eps; or, hard, by logit >= thresholds[j]
 * with the gradient of the former. The share is the mean of the mask.
 *
 * The numbers are float, or double with the instruction set VCE_STRICT. T steps, B streams, D dimensions, G gates, J
 * blocks. The caller checks all sizes; arrays do not overlap.
 */
#ifndef VCE_UNROLL_H
#define VCE_UNROLL_H

#include <stdint.h>

/* clang-format off */
/* Arrays in the order of the extension's argument: X(name, kind, items). Kinds: r and w are float or double, read and
 * written; i is int32. */
#define VCE_UNROLL_ARRAYS(X)                                                                                           \
    X(a, 'r', T * B * G * D)            /* products of the inputs, with their bias */                                  \
    X(gate, 'r', J ? T * B : 0)         /* the logit's part that does not depend on h */                               \
    X(keep, 'r', T * B)                 /* 0 where the state starts anew, 1 elsewhere */                               \
    X(start, 'r', B * D)                /* h before the first step */                                                  \
    X(gate_hidden, 'r', J ? D : 0)                                                                                     \
    X(reset_bias, 'r', G == 3 ? D : 0)                                                                                 \
    X(thresholds, 'r', J)                                                                                              \
    X(middles, 'r', J)                                                                                                 \
    X(starts, 'i', J + 1)               /* the last is D */                                                            \
    X(operand, 'w', T * B * D)                                                                                         \
    X(products, 'w', T * B * G * D)     /* after its step each holds z, r, p_c + reset_bias */                         \
    X(candidate, 'w', T * B * D)                                                                                       \
    X(logits, 'w', J ? T * B : 0)                                                                                      \
    X(open, 'w', T * B * J)             /* the mask of each block */                                                   \
    X(mask, 'w', B * D)                 /* of the present step */                                                      \
    X(states, 'w', T * B * D)           /* h after each step */                                                        \
    X(shares, 'w', T * B)                                                                                              \
    /* backward only */                                                                                                \
    X(d_states, 'r', T * B * D)                                                                                        \
    X(d_shares, 'r', T * B)                                                                                            \
    X(d_operand, 'r', B * D)            /* of the present step */                                                      \
    X(d_products, 'w', T * B * G * D)                                                                                  \
    X(d_a, 'w', T * B * G * D)                                                                                         \
    X(d_gate, 'w', J ? T * B : 0)                                                                                      \
    X(d_mask, 'w', B * D)               /* of the present step */                                                      \
    X(slopes, 'w', J)                   /* of the present row */                                                       \
    X(d_start, 'w', B * D)              /* meanwhile of the present step's h; zeros at first */                   \
    X(d_gate_hidden, 'w', J ? B * D : 0)/* summed over the steps; zeros at first */
/* clang-format on */

enum { VCE_UNROLL_FORWARD = 17, VCE_UNROLL_ALL = 27 };

typedef struct vce_unroll {
    int64_t steps, batch, hidden;
    int32_t gates, blocks, hard;
    double sharpness, eps;
#define VCE_FIELD(name, format, size) void *name;
    VCE_UNROLL_ARRAYS(VCE_FIELD)
#undef VCE_FIELD
} vce_unroll;

struct vce_unroll_ops {
    void (*forward)(const vce_unroll *, int64_t i);
    void (*backward)(const vce_unroll *, int64_t i);
};

/* NULL where the instruction set is not available, or has int8 weights. */
const struct vce_unroll_ops *vce_unroll_ops_of(int isa);

#endif
