/* New values of h[:k] with float32 weights; included by an isa_*.c after simd.h.
 *
 * A product adds its columns in two phases (even, odd), which are added at the end: whatever number of panels or streams
 * is computed together, each row's sum is taken in the same order, so that step and step_many agree bit for bit.
 */
#include "gates.h"

/* New values of the rows of `panels` panels from `first` on, (16) or eq. 4 to 6, into next[stream]; h is only read. */
VCE_INLINE void update_panels(const int gates, const int panels, const int streams, const vce_cell *cell, int first,
                              int k, const float *const *h, const float *const *x, float *const *next)
{
    const int biases = gates == 3 ? 4 : 1, last = gates - 1, n = cell->shape.inputs;
    const float *bias = cell->bias + (size_t)first * (size_t)biases;
    const float *weights = cell->panels + (size_t)(first / W) * cell->panel_stride;
    vf acc[STREAMS][2][3][2], outside[STREAMS][2];

    UNROLL for (int s = 0; s < streams; s++)
        UNROLL for (int p = 0; p < panels; p++)
            UNROLL for (int g = 0; g < gates; g++) {
                acc[s][p][g][0] = vf_load(bias + (p * biases + g) * W);
                acc[s][p][g][1] = vf_set(0.0f);
            }
    add_columns(gates, panels, streams, weights, cell->panel_stride, x, n, acc);
    if (gates == 3)
        UNROLL for (int s = 0; s < streams; s++)
            UNROLL for (int p = 0; p < panels; p++) { /* what the reset gate does not touch is kept apart */
                outside[s][p] = acc[s][p][2][0] + acc[s][p][2][1];
                acc[s][p][2][0] = vf_load(bias + (p * biases + 3) * W);
                acc[s][p][2][1] = vf_set(0.0f);
            }
    add_columns(gates, panels, streams, weights + (size_t)n * (size_t)(gates * W), cell->panel_stride, h, k, acc);

    UNROLL for (int s = 0; s < streams; s++)
        UNROLL for (int p = 0; p < panels; p++) {
            vf inner = acc[s][p][last][0] + acc[s][p][last][1];
            float *to = next[s] + first + p * W;
            if (gates == 1) {
                vf_store(to, vf_tanh(inner));
                continue;
            }
            vf z = acc[s][p][0][0] + acc[s][p][0][1], r = acc[s][p][1][0] + acc[s][p][1][1];
            vf_store(to, gated(z, r, outside[s][p], inner, h[s], first + p * W, k));
        }
}

VCE_INLINE void update_rows(const int gates, const int streams, const int together, const vce_cell *cell, int k,
                            const float *const *h, const float *const *x, float *const *next)
{
    int row = 0;
    if (together == 2)
        for (; row + W < k; row += 2 * W)
            update_panels(gates, 2, streams, cell, row, k, h, x, next);
    for (; row < k; row += W)
        update_panels(gates, 1, streams, cell, row, k, h, x, next);
}

static __attribute__((noinline)) void update_one(const vce_cell *cell, int level, const float *h, const float *x,
                                                 float *next, void *unused)
{
    const float *hs[1] = {h}, *xs[1] = {x};
    float *nexts[1] = {next};
    int k = cell->boundaries[level - 1];
    (void)unused;
    if (cell->shape.gates == 3)
        update_rows(3, 1, 2, cell, k, hs, xs, nexts);
    else
        update_rows(1, 1, 2, cell, k, hs, xs, nexts);
}

/* STREAMS streams of one level, each weight read once for all. */
static __attribute__((noinline)) void update_group(const vce_cell *cell, int level, const float *const *h,
                                                   const float *const *x, float *const *next, void *unused)
{
    int k = cell->boundaries[level - 1];
    (void)unused;
    if (cell->shape.gates == 3)
        update_rows(3, STREAMS, 1, cell, k, h, x, next);
    else
        update_rows(1, STREAMS, 1, cell, k, h, x, next);
}
