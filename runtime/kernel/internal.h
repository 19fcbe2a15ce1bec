/* Shared by the kernel's files: the packed cell's layout, and the functions of an instruction set. */
#ifndef VCE_INTERNAL_H
#define VCE_INTERNAL_H

#include "sections.h"
#include "vcedge.h"

#if defined __x86_64__
#define VCE_X86 1
#elif defined __aarch64__
#define VCE_ARM64 1
#endif

#define VCE_REFRESH 64 /* steps after which incremental values are recomputed, against drift */

/* The cell's state of one stream, as pointers: in a vce state they follow each other, in a detector's record they need
 * not. */
typedef struct vce_cell_state {
    float *h;        /* (D) */
    float *y;        /* (C) the head's output, updated incrementally */
    float *recall;   /* u.h, updated incrementally */
    uint32_t *fresh; /* steps until the two are recomputed; 0: now */
} vce_cell_state;

#define VCE_STREAMS 4 /* most streams of one level in one pass */

struct vce_detector;

struct vce_ops {
    int width;
    int group;  /* int8: recurrent columns in a 32-bit word; 0: float32 weights */
    int offset; /* int8: whether 128 is added to h to make it unsigned */
    int (*step)(const vce_cell *, vce_cell_state, void *scratch, const float *x, int min_level, float logit_bias);
    void (*step_many)(const vce_cell *, int32_t streams, void *states, size_t stride, void *scratch, const float *x,
                      float *y, int32_t *levels, int min_level, float logit_bias);
    double (*detect)(const struct vce_detector *, void *record, void *scratch, const double *values,
                     double *contributions, int32_t *level, int min_level, float logit_bias);
    float (*probe_read)(const void *, size_t bytes, int64_t times);
    float (*probe_fma)(int64_t times);
};

const struct vce_ops *vce_ops_of(int isa); /* NULL if it is not available */

extern const struct vce_ops vce_ops_strict, vce_ops_portable, vce_ops_avx2, vce_ops_avx512, vce_ops_neon;
extern const struct vce_ops vce_ops_portable_int8, vce_ops_avx2_int8, vce_ops_avx512_int8, vce_ops_neon_int8,
    vce_ops_neon_dot_int8;

/* The packed cell begins with this header; the sections follow. */
typedef struct vce_header {
    char magic[8];
    uint32_t version, byte_order;
    int32_t isa;
    float gate_bias;
    vce_shape shape;
    uint64_t bytes; /* of header and sections */
    uint64_t reserved;
} vce_header;

#define VCE_MAGIC "vcecell"
#define VCE_VERSION 1

/* clang-format off */
/* The sections in their order: F(type, field, items). L, S, N, D, G as in vcedge.h (G: gates), P and C: hidden dimensions
 * and outputs rounded up to the width W; INT8: whether the recurrent weights are int8, whose panel has INT8_STRIDE bytes.
 */
#define VCE_CELL_SECTIONS(F) \
    F(int32_t, boundaries, L) \
    F(double, thresholds, L - 1) \
    F(float, gate_input, S) \
    F(float, gate_hidden, P) \
    F(float, bias, P * (G + (G == 3)))               /* (P/W panels, gates, W), the reset bias behind three gates */ \
    F(float, panels, P * (N + (INT8 ? 0 : D)) * G)   /* (P/W panels, N + D columns, gates, W): the inputs' first, so \
                                                        that a level reads a prefix */ \
    F(float, head_bias, C) \
    F(float, head, C * D)                            /* (C/W panels, D columns, W) */ \
    F(float, scales, INT8 ? P * G : 0)               /* (P/W panels, gates, W) of the recurrent rows */ \
    F(int32_t, offsets, OFFSET ? L * P * G : 0)      /* (L, P/W panels, gates, W): -128 times each row's sum up to k */ \
    F(int8_t, int8_panels, P / W * INT8_STRIDE)      /* (P/W panels, D/group columns rounded up, gates, W, group) */
/* clang-format on */

/* Where each section begins, in bytes from the header, and where the last one ends. */
#define VCE_OFFSET(type, field, items) uint64_t field;
typedef struct vce_sections {
    VCE_CELL_SECTIONS(VCE_OFFSET)
    uint64_t bytes;
} vce_sections;
#undef VCE_OFFSET

int vce_shape_ok(const vce_shape *shape);
vce_sections vce_layout(const vce_shape *shape, const struct vce_ops *ops);
void vce_pack_int8(const vce_shape *, const vce_weights *, const struct vce_ops *, unsigned char *base,
                   const vce_sections *at);
uint64_t vce_int8_stride(const vce_shape *shape, const struct vce_ops *ops); /* bytes of a panel of int8 weights */

/* Bytes of one stream's quantised h: at most 2 a dimension, rounded up to 32-bit words. */
static inline size_t vce_spare_size(const vce_cell *cell) { return 2 * (size_t)cell->padded + VCE_ALIGN; }

static inline vce_cell_state vce_cell_state_of(const vce_cell *cell, void *state)
{
    float *words = state;
    vce_cell_state s = {words, words + cell->shape.hidden, words + cell->shape.hidden + cell->shape.outputs, NULL};
    s.fresh = (uint32_t *)(void *)(s.recall + 1);
    return s;
}

#endif
