/* Whole numbers for each instruction set: h in words of GROUP columns, and the sum of their products. Included after
 * simd.h. store_whole(words, i, v): columns i..i+W-1 as words. OFFSET: whether 128 was added to make h unsigned. */

#if defined VCE_USE_AVX512 /* VNNI: four columns, unsigned by signed */
enum { GROUP = 4, OFFSET = 1 };
VCE_INLINE void store_whole(uint32_t *words, int i, vi v)
{
    __m128i bytes = _mm_xor_si128(_mm512_cvtepi32_epi8((__m512i)v), _mm_set1_epi8((char)0x80));
    _mm_storeu_si128((__m128i *)(void *)((char *)words + i), bytes);
}
VCE_INLINE vi dot_add(vi sum, const int8_t *weights, uint32_t word)
{
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, _mm512_set1_epi32((int)word), _mm512_loadu_si512(weights));
}

#elif defined VCE_USE_NEON && defined VCE_DOT /* SDOT: four columns, signed */
enum { GROUP = 4, OFFSET = 0 };
VCE_INLINE void store_whole(uint32_t *words, int i, vi v)
{
    for (int lane = 0; lane < W; lane++)
        ((int8_t *)words)[i + lane] = (int8_t)v[lane];
}
VCE_INLINE vi dot_add(vi sum, const int8_t *weights, uint32_t word)
{
    return (vi)vdotq_s32((int32x4_t)sum, vld1q_s8(weights), vreinterpretq_s8_u32(vdupq_n_u32(word)));
}

#else /* pairs of columns as 16-bit numbers */
enum { GROUP = 2, OFFSET = 0 };
VCE_INLINE void store_whole(uint32_t *words, int i, vi v)
{
    for (int lane = 0; lane < W; lane++)
        ((int16_t *)words)[i + lane] = (int16_t)v[lane];
}
VCE_INLINE vi dot_add(vi sum, const int8_t *weights, uint32_t word)
{
#if defined VCE_USE_AVX2
    __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)weights));
    return (vi)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16(wide, _mm256_set1_epi32((int)word)));
#elif defined VCE_USE_NEON
    int16x8_t wide = vmovl_s8(vld1_s8(weights)), pair = vreinterpretq_s16_u32(vdupq_n_u32(word));
    int32x4_t low = vmull_s16(vget_low_s16(wide), vget_low_s16(pair)), high = vmull_high_s16(wide, pair);
    return (vi)vaddq_s32((int32x4_t)sum, vpaddq_s32(low, high));
#else
    int16_t pair[2]; /* in the order of memory, as they were stored */
    memcpy(pair, &word, sizeof pair);
    for (int lane = 0; lane < W; lane++)
        sum[lane] += pair[0] * weights[2 * lane] + pair[1] * weights[2 * lane + 1];
    return sum;
#endif
}
#endif
