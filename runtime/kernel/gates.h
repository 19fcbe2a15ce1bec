/* What float32 and int8 cells share: products with float columns, and the gates. */
#include "internal.h"

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

/* A gated row of h from what goes into z, r and the candidate (reset gate after the product), eq. 4 to 6, 16. */
VCE_INLINE vf gated(vf z, vf r, vf outside, vf inside, const float *h, int row, int k)
{
    vf candidate = vf_tanh(vf_fma(vf_sigmoid(r), inside, outside));
    vf old = row + W <= k ? vf_load(h + row) : vf_load_part(h + row, k - row);
    return vf_fma(vf_sigmoid(z), candidate - old, old);
}
