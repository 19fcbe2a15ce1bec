/* The scheduler, and what is kept incrementally: u.h and the head's output. Included by each isa_*.c after simd.h. */

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

/* y = start + W[:, :k] v for a panel of outputs at a time, four sums each; no start: 0. */
VCE_INLINE void add_product(const float *weights, int outputs, int columns, const float *v, int k, const float *start,
                            float *y)
{
    for (int first = 0; first < outputs; first += W, weights += (size_t)columns * W) {
        int rows = outputs - first;
        vf sums[4] = {vf_set(0.0f), vf_set(0.0f), vf_set(0.0f), vf_set(0.0f)};
        if (start)
            sums[0] = rows < W ? vf_load_part(start + first, rows) : vf_load(start + first);
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

VCE_INLINE void add_head(const vce_cell *cell, const float *v, int k, const float *start, float *y)
{
    add_product(cell->head, cell->shape.outputs, cell->shape.hidden, v, k, start, y);
}

/* y = start + W x for the detector's matrices, packed like the head. */
static __attribute__((noinline)) void product(const float *panels, int outputs, int inputs, const float *x,
                                              const float *start, float *y)
{
    add_product(panels, outputs, inputs, x, inputs, start, y);
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
