/* One vector type for each instruction set: W floats, and the few operations that cell.h needs.
 *
 * Included by an isa_*.c that defined one of VCE_USE_{AVX512,AVX2,NEON,PORTABLE}. Plain arithmetic is written with the
 * compilers' vector extensions; fused multiply-add is always spelt out, so that no flag decides about rounding.
 * vf_min(limit, x) and vf_max(limit, x) let a NaN in x through.
 */
#include <string.h>

#define VCE_INLINE static inline __attribute__((always_inline))

/* For short loops of constant length over sums that must stay in registers. */
#if defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

#if defined VCE_USE_AVX512
#include <immintrin.h>
enum { W = 16, STREAMS = 4 };
typedef __m512 vf;
#define vf_set(x) _mm512_set1_ps(x)
#define vf_load(p) _mm512_loadu_ps(p)
#define vf_store(p, v) _mm512_storeu_ps(p, v)
#define vf_load_part(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define vf_store_part(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define vf_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vf_min(limit, x) _mm512_min_ps(limit, x)
#define vf_max(limit, x) _mm512_max_ps(limit, x)

#elif defined VCE_USE_AVX2
#include <immintrin.h>
enum { W = 8, STREAMS = 2 };
typedef __m256 vf;
#define vf_set(x) _mm256_set1_ps(x)
#define vf_load(p) _mm256_loadu_ps(p)
#define vf_store(p, v) _mm256_storeu_ps(p, v)
static const int32_t lane_masks[2 * 8] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
#define vf_mask(n) _mm256_loadu_si256((const __m256i *)(const void *)(lane_masks + 8 - (n)))
#define vf_load_part(p, n) _mm256_maskload_ps(p, vf_mask(n))
#define vf_store_part(p, v, n) _mm256_maskstore_ps(p, vf_mask(n), v)
#define vf_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vf_min(limit, x) _mm256_min_ps(limit, x)
#define vf_max(limit, x) _mm256_max_ps(limit, x)

#elif defined VCE_USE_NEON
#include <arm_neon.h>
enum { W = 4, STREAMS = 4 };
typedef float32x4_t vf;
#define vf_set(x) vdupq_n_f32(x)
#define vf_load(p) vld1q_f32(p)
#define vf_store(p, v) vst1q_f32(p, v)
#define vf_fma(a, b, c) vfmaq_f32(c, a, b)
#define vf_min(limit, x) vminq_f32(limit, x)
#define vf_max(limit, x) vmaxq_f32(limit, x)

#else
enum { W = 4, STREAMS = 1 };
typedef float vf __attribute__((vector_size(16)));
#define vf_set(x) ((vf){x, x, x, x})
#define vf_fma(a, b, c) ((a) * (b) + (c))
VCE_INLINE vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
VCE_INLINE void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
VCE_INLINE vf vf_min(vf limit, vf x)
{
    for (int i = 0; i < W; i++)
        x[i] = limit[i] < x[i] ? limit[i] : x[i];
    return x;
}
VCE_INLINE vf vf_max(vf limit, vf x)
{
    for (int i = 0; i < W; i++)
        x[i] = limit[i] > x[i] ? limit[i] : x[i];
    return x;
}
#endif

#ifndef vf_load_part /* the first n < W floats, zeros after them */
VCE_INLINE vf vf_load_part(const float *p, int n)
{
    vf v = vf_set(0.0f);
    for (int i = 0; i < W - 1; i++)
        if (i < n)
            v[i] = p[i];
    return v;
}
VCE_INLINE void vf_store_part(float *p, vf v, int n)
{
    for (int i = 0; i < W - 1; i++)
        if (i < n)
            p[i] = v[i];
}
#endif

/* Sum of the lanes: halves onto halves. */
VCE_INLINE float vf_sum(vf v)
{
#if defined VCE_USE_AVX512
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 low = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
#elif defined VCE_USE_AVX2
    __m128 low = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
#else
    vf low = v;
#endif
    return (low[0] + low[2]) + (low[1] + low[3]);
}

typedef int32_t vi __attribute__((vector_size(4 * W)));

/* e^x within 2 units in the last place for |x| <= 87, limited beyond; Cephes' polynomial, two terms at a time. */
VCE_INLINE vf vf_exp(vf x)
{
    const vf magic = vf_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number in the low bits */
    x = vf_min(vf_set(87.0f), vf_max(vf_set(-87.0f), x));
    vf shifted = vf_fma(x, vf_set(1.44269504f), magic);
    vf whole = shifted - magic;
    vf r = vf_fma(whole, vf_set(-0.693359375f), x);
    r = vf_fma(whole, vf_set(2.12194440e-4f), r);
    vf r2 = r * r;
    vf p = vf_fma(r, vf_set(1.9875691500e-4f), vf_set(1.3981999507e-3f));
    vf q = vf_fma(r, vf_set(8.3334519073e-3f), vf_set(4.1665795894e-2f));
    vf s = vf_fma(r, vf_set(1.6666665459e-1f), vf_set(5.0000001201e-1f));
    p = vf_fma(vf_fma(p, r2, q), r2, s);
    p = vf_fma(p, r2, r + vf_set(1.0f));
    vi power = ((vi)shifted - (vi)magic + 127) << 23;
    return p * (vf)power;
}

/* Logistic function within 1e-7 and tanh within 2e-7 of the true value (tests/kernel/test_functions.py). */
VCE_INLINE vf vf_sigmoid(vf x) { return vf_set(1.0f) / (vf_set(1.0f) + vf_exp(-x)); }
VCE_INLINE vf vf_tanh(vf x) { return vf_set(1.0f) - vf_set(2.0f) / (vf_set(1.0f) + vf_exp(x + x)); }
