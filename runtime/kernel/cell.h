/* The cell's step for one instruction set; included by each isa_*.c after simd.h. Everything here is static.
 *
 * A product adds its columns in two phases (even, odd), which are added at the end: whatever number of panels or streams
 * is computed together, each row's sum is taken in the same order, so that step and step_many agree bit for bit.
 */
#include "internal.h"

#define UNROLL _Pragma("GCC unroll 8")

/* Columns 0..n-1 of `panels` panels for `streams` streams: acc[stream][panel][gate][phase]. The three counts are
 * constants where this is inlined; 12 or 24 sums in registers. */
VCE_INLINE void add_columns(const int gates, const int panels, const int streams, const float *weights, size_t stride,
                            const float *const *x, int n, vf (*acc)[2][3][2])
{
    int j = 0;
    for (; j + 1 < n; j += 2, weights += 2 * gates * W) {
        UNROLL for (int phase = 0; phase < 2; phase++)
            UNROLL for (int p = 0; p < panels; p++)
                UNROLL for (int g = 0; g < gates; g++) {
                    vf weight = vf_load(weights + (size_t)p * stride + (phase * gates + g) * W);
                    UNROLL for (int s = 0; s < streams; s++)
                        acc[s][p][g][phase] = vf_fma(weight, vf_set(x[s][j + phase]), acc[s][p][g][phase]);
                }
    }
    if (j < n)
        UNROLL for (int p = 0; p < panels; p++)
            UNROLL for (int g = 0; g < gates; g++) {
                vf weight = vf_load(weights + (size_t)p * stride + g * W);
                UNROLL for (int s = 0; s < streams; s++)
                    acc[s][p][g][0] = vf_fma(weight, vf_set(x[s][j]), acc[s][p][g][0]);
            }
}

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
            vf z = vf_sigmoid(acc[s][p][0][0] + acc[s][p][0][1]);
            vf r = vf_sigmoid(acc[s][p][1][0] + acc[s][p][1][1]);
            vf c = vf_tanh(vf_fma(r, inner, outside[s][p]));
            int row = first + p * W;
            vf old = row + W <= k ? vf_load(h[s] + row) : vf_load_part(h[s] + row, k - row);
            vf_store(to, vf_fma(z, c - old, old));
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

static __attribute__((noinline)) void update_one(const vce_cell *cell, int k, const float *h, const float *x,
                                                 float *next)
{
    const float *hs[1] = {h}, *xs[1] = {x};
    float *nexts[1] = {next};
    if (cell->shape.gates == 3)
        update_rows(3, 1, 2, cell, k, hs, xs, nexts);
    else
        update_rows(1, 1, 2, cell, k, hs, xs, nexts);
}

/* STREAMS streams of one level, each weight read once for all. */
static __attribute__((noinline)) void update_group(const vce_cell *cell, int k, const float *const *h,
                                                   const float *const *x, float *const *next)
{
    if (cell->shape.gates == 3)
        update_rows(3, STREAMS, 1, cell, k, h, x, next);
    else
        update_rows(1, STREAMS, 1, cell, k, h, x, next);
}

VCE_INLINE float dot(const float *a, const float *b, int n)
{
    vf sum = vf_set(0.0f), other = vf_set(0.0f);
    int i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
        other = vf_fma(vf_load(a + i + W), vf_load(b + i + W), other);
    }
    for (; i + W <= n; i += W)
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
    if (i < n)
        other = vf_fma(vf_load_part(a + i, n - i), vf_load_part(b + i, n - i), other);
    return vf_sum(sum + other);
}

/* Eq. 7 without the logistic: 1 + the number of thresholds that the logit reaches (a NaN reaches all). */
VCE_INLINE int pick_level(const vce_cell *cell, vce_memory m, const float *x, int min_level, float logit_bias)
{
    int levels = cell->shape.levels, level = 1;
    if (levels == 1)
        return 1;
    if (*m.fresh == 0)
        *m.recall = dot(cell->gate_hidden, m.h, cell->shape.hidden);
    double logit = (double)*m.recall + (double)dot(cell->gate_input, x, cell->shape.signals) + (double)cell->gate_bias +
                   (double)logit_bias;
    for (int i = 0; i + 1 < levels; i++)
        level += !(logit < cell->thresholds[i]);
    int floor = min_level < levels ? min_level : levels;
    return level < floor ? floor : level;
}

/* y += W[:, :k] v for a panel of outputs at a time, four sums each. */
VCE_INLINE void add_head(const vce_cell *cell, const float *v, int k, const float *start, float *y)
{
    const float *weights = cell->head;
    for (int first = 0; first < cell->shape.outputs; first += W, weights += (size_t)cell->shape.hidden * W) {
        int rows = cell->shape.outputs - first;
        vf sums[4] = {rows < W ? vf_load_part(start + first, rows) : vf_load(start + first), vf_set(0.0f), vf_set(0.0f),
                      vf_set(0.0f)};
        int j = 0;
        for (; j + 3 < k; j += 4)
            UNROLL for (int i = 0; i < 4; i++)
                sums[i] = vf_fma(vf_load(weights + (j + i) * W), vf_set(v[j + i]), sums[i]);
        for (; j < k; j++)
            sums[0] = vf_fma(vf_load(weights + j * W), vf_set(v[j]), sums[0]);
        vf sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        if (rows < W)
            vf_store_part(y + first, sum, rows);
        else
            vf_store(y + first, sum);
    }
}

/* h[:k] = next[:k]; the head's output and u.h follow the change, or are computed anew. */
VCE_INLINE void commit(const vce_cell *cell, vce_memory m, int k, float *next)
{
    int anew = k == cell->shape.hidden || *m.fresh == 0, i = 0;
    for (; i + W <= k; i += W) {
        vf new = vf_load(next + i), old = vf_load(m.h + i);
        vf_store(m.h + i, new);
        vf_store(next + i, new - old);
    }
    if (i < k) {
        vf new = vf_load(next + i), old = vf_load_part(m.h + i, k - i);
        vf_store_part(m.h + i, new, k - i);
        vf_store(next + i, new - old);
    }
    if (anew) {
        add_head(cell, m.h, cell->shape.hidden, cell->head_bias, m.y);
        *m.recall = dot(cell->gate_hidden, m.h, cell->shape.hidden);
        *m.fresh = VCE_REFRESH;
    } else {
        add_head(cell, next, k, m.y, m.y);
        *m.recall += dot(cell->gate_hidden, next, k);
        *m.fresh -= 1;
    }
}
