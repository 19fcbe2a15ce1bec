/* New values of h[:k] with int8 recurrent weights; included by an isa_*.c after simd.h and its own dot_*.
 *
 * Dynamic range: each row of weights has a scale, and h[:k] is rounded to -127..127 of its largest magnitude at each step.
 * The inputs are few and reach far: they keep float32 weights. Sums of whole numbers are exact, in any order.
 *
 * A group of GROUP columns is one 32-bit word of h, and W words of weights; `dot_add(sum, weights, word)` adds it.
 */
#include "gates.h"

/* Words of h[:k] into `words`, zeros behind it; returns the scale. */
VCE_INLINE float quantise(const float *h, int k, uint32_t *words)
{
    const vf magic = vf_set(12582912.0f);
    const vi mask = (vi)vf_set(0.0f) + 0x7fffffff;
    vf largest = vf_set(0.0f);
    int i = 0;
    for (; i + W <= k; i += W)
        largest = vf_max(largest, (vf)((vi)vf_load(h + i) & mask));
    if (i < k)
        largest = vf_max(largest, (vf)((vi)vf_load_part(h + i, k - i) & mask));
    float top = 0.0f;
    for (int lane = 0; lane < W; lane++)
        top = largest[lane] > top ? largest[lane] : top;
    vf inverse = vf_set(top > 1e-30f ? 127.0f / top : 0.0f);
    for (i = 0; i < k; i += W) {
        vf values = i + W <= k ? vf_load(h + i) : vf_load_part(h + i, k - i);
        store_whole(words, i, (vi)vf_fma(values, inverse, magic) - (vi)magic);
    }
    return top / 127.0f;
}

VCE_INLINE void add_whole(const int gates, const int panels, const int streams, const int8_t *weights, size_t stride,
                          const uint32_t *const *words, int groups, vi (*acc)[2][3])
{
    for (int j = 0; j < groups; j++, weights += gates * W * GROUP)
        UNROLL for (int p = 0; p < panels; p++)
            UNROLL for (int g = 0; g < gates; g++) {
                const int8_t *from = weights + (size_t)p * stride + g * W * GROUP;
                UNROLL for (int s = 0; s < streams; s++)
                    acc[s][p][g] = dot_add(acc[s][p][g], from, words[s][j]);
            }
}

VCE_INLINE void update_panels(const int gates, const int panels, const int streams, const vce_cell *cell, int level,
                              int first, int k, const float *const *h, const float *const *x,
                              const uint32_t *const *words, const float *scales, float *const *next)
{
    const int biases = gates == 3 ? 4 : 1, last = gates - 1;
    const float *bias = cell->bias + (size_t)first * (size_t)biases;
    const float *row_scales = cell->scales + (size_t)first * (size_t)gates;
    const int32_t *start = cell->offsets + (size_t)((level - 1) * cell->padded + first) * (size_t)gates;
    vf acc[STREAMS][2][3][2];
    vi whole[STREAMS][2][3];

    UNROLL for (int s = 0; s < streams; s++)
        UNROLL for (int p = 0; p < panels; p++)
            UNROLL for (int g = 0; g < gates; g++) {
                acc[s][p][g][0] = vf_load(bias + (p * biases + g) * W);
                acc[s][p][g][1] = vf_set(0.0f);
                whole[s][p][g] = (vi)vf_set(0.0f);
                if (OFFSET)
                    memcpy(&whole[s][p][g], start + (p * gates + g) * W, sizeof(vi));
            }
    add_columns(gates, panels, streams, cell->panels + (size_t)(first / W) * cell->panel_stride, cell->panel_stride, x,
                cell->shape.inputs, acc);
    add_whole(gates, panels, streams, cell->whole + (size_t)(first / W) * cell->whole_stride, cell->whole_stride, words,
              (k + GROUP - 1) / GROUP, whole);

    UNROLL for (int s = 0; s < streams; s++)
        UNROLL for (int p = 0; p < panels; p++) {
            vf from_x[3], from_h[3];
            UNROLL for (int g = 0; g < gates; g++) {
                vf scale = vf_load(row_scales + (p * gates + g) * W) * vf_set(scales[s]);
                from_x[g] = acc[s][p][g][0] + acc[s][p][g][1];
                from_h[g] = __builtin_convertvector(whole[s][p][g], vf) * scale;
            }
            float *to = next[s] + first + p * W;
            if (gates == 1)
                vf_store(to, vf_tanh(from_x[last] + from_h[last]));
            else
                vf_store(to, gated(from_x[0] + from_h[0], from_x[1] + from_h[1], from_x[last],
                                   from_h[last] + vf_load(bias + (p * biases + 3) * W), h[s], first + p * W, k));
        }
}

VCE_INLINE void update_rows(const int gates, const int streams, const int together, const vce_cell *cell, int level,
                            const float *const *h, const float *const *x, float *const *next, void *spare)
{
    uint32_t *words[STREAMS];
    float scales[STREAMS];
    int k = cell->boundaries[level - 1], row = 0;
    for (int s = 0; s < streams; s++) {
        words[s] = (uint32_t *)(void *)((char *)spare + (size_t)s * vce_spare_size(cell));
        scales[s] = quantise(h[s], k, words[s]);
    }
    const uint32_t *const *given = (const uint32_t *const *)words;
    if (together == 2)
        for (; row + W < k; row += 2 * W)
            update_panels(gates, 2, streams, cell, level, row, k, h, x, given, scales, next);
    for (; row < k; row += W)
        update_panels(gates, 1, streams, cell, level, row, k, h, x, given, scales, next);
}

static __attribute__((noinline)) void update_one(const vce_cell *cell, int level, const float *h, const float *x,
                                                 float *next, void *spare)
{
    const float *hs[1] = {h}, *xs[1] = {x};
    float *nexts[1] = {next};
    if (cell->shape.gates == 3)
        update_rows(3, 1, 2, cell, level, hs, xs, nexts, spare);
    else
        update_rows(1, 1, 2, cell, level, hs, xs, nexts, spare);
}

static __attribute__((noinline)) void update_group(const vce_cell *cell, int level, const float *const *h,
                                                   const float *const *x, float *const *next, void *spare)
{
    if (cell->shape.gates == 3)
        update_rows(3, STREAMS, 1, cell, level, h, x, next, spare);
    else
        update_rows(1, STREAMS, 1, cell, level, h, x, next, spare);
}
