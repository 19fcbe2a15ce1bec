/* What the CPU can do at best: reading memory, and multiply-adds. Included by each isa_*.c after simd.h. */

static float probe_read(const void *memory, size_t bytes, int64_t times)
{
    const float *from = memory;
    vf sums[8];
    UNROLL for (int i = 0; i < 8; i++)
        sums[i] = vf_set(0.0f);
    for (int64_t t = 0; t < times; t++) {
        for (size_t at = 0; at < bytes / sizeof(float); at += 8 * W)
            UNROLL for (int i = 0; i < 8; i++)
                sums[i] += vf_load(from + at + (size_t)(i * W));
        __asm__ volatile("" ::: "memory"); /* each pass reads again */
    }
    vf sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    return vf_sum(sum);
}

static float probe_fma(int64_t times)
{
    vf sums[8], factor = vf_set(0.999f), term = vf_set(0.001f);
    UNROLL for (int i = 0; i < 8; i++)
        sums[i] = vf_set((float)i);
    for (int64_t t = 0; t < times; t++)
        UNROLL for (int repeat = 0; repeat < 8; repeat++)
            UNROLL for (int i = 0; i < 8; i++)
                sums[i] = vf_fma(sums[i], factor, term);
    vf sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    return vf_sum(sum);
}
