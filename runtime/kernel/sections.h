/* Both packed formats, the cell's and the detector's: a header and sections, each aligned to VCE_ALIGN.
 *
 * A format is one list of sections, from which its layout, its pointers and its checks are made.
 */
#ifndef VCE_SECTIONS_H
#define VCE_SECTIONS_H

#include "vcedge.h"

#define VCE_BYTE_ORDER 0x01020304u

static inline uint64_t vce_aligned(uint64_t bytes) { return (bytes + VCE_ALIGN - 1) / VCE_ALIGN * VCE_ALIGN; }

static inline int64_t vce_padded(int64_t n, int width) { return (n + width - 1) / width * width; }

/* Reserve `bytes` at `end`, and return where they begin. */
static inline uint64_t vce_reserve(uint64_t *end, uint64_t bytes)
{
    uint64_t start = *end;
    *end = vce_aligned(start + bytes);
    return start;
}

/* Pack a row-major matrix (rows, columns) in panels of `width` rows, column by column. */
static inline void vce_pack_matrix(const float *from, int64_t rows, int64_t columns, int width, float *to)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t j = 0; j < columns; j++)
            to[(row / width * columns + j) * width + row % width] = from[row * columns + j];
}

static inline int vce_floats_finite(const float *values, uint64_t n)
{
    int ok = 1;
    for (uint64_t i = 0; i < n; i++)
        ok &= values[i] - values[i] == 0;
    return ok;
}

static inline int vce_doubles_finite(const double *values, uint64_t n)
{
    int ok = 1;
    for (uint64_t i = 0; i < n; i++)
        ok &= values[i] - values[i] == 0;
    return ok;
}

#endif
