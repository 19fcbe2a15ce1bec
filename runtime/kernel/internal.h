/* Shared by the kernel's files: the packed model's layout and the table of functions of an instruction set. */
#ifndef VCE_INTERNAL_H
#define VCE_INTERNAL_H

#include "vcedge.h"

#if defined __x86_64__
#define VCE_X86 1
#elif defined __aarch64__
#define VCE_ARM64 1
#endif

#define VCE_REFRESH 64 /* steps after which what is kept incrementally is computed anew, against drift */

/* A stream's memory, as pointers: in a vce state they follow each other, in a detector's record they need not. */
typedef struct vce_memory {
    float *h;        /* (D) */
    float *y;        /* (C) the head's output, kept incrementally */
    float *recall;   /* u.h, kept incrementally */
    uint32_t *fresh; /* steps for which the two are still kept; 0: compute anew */
} vce_memory;

#define VCE_STREAMS 4  /* most streams of one level that are computed together */

struct vce_detector;

struct vce_ops {
    int width;
    int group;  /* int8: recurrent columns in a 32-bit word; 0: float32 weights */
    int offset; /* int8: whether 128 is added to what the weights are multiplied with */
    int (*step)(const vce_cell *, vce_memory, void *scratch, const float *x, int min_level, float logit_bias);
    void (*step_many)(const vce_cell *, int32_t streams, void *states, size_t stride, void *scratch, const float *x,
                      float *y, int32_t *levels, int min_level, float logit_bias);
    double (*detect)(const struct vce_detector *, void *record, void *scratch, const double *values,
                     double *contributions, int32_t *level, int min_level, float logit_bias);
    float (*probe_read)(const void *, size_t bytes, int64_t times);
    float (*probe_fma)(int64_t times);
};

const struct vce_ops *vce_ops_of(int isa); /* NULL where it is not available */

extern const struct vce_ops vce_ops_strict, vce_ops_portable, vce_ops_avx2, vce_ops_avx512, vce_ops_neon;
extern const struct vce_ops vce_ops_portable_int8, vce_ops_avx2_int8, vce_ops_avx512_int8, vce_ops_neon_int8,
    vce_ops_neon_dot_int8;

/* The packed model: this header, then the sections, each VCE_ALIGN-aligned, in the order of vce_sections. */
typedef struct vce_header {
    char magic[8];
    uint32_t version, byte_order;
    int32_t isa;
    float gate_bias;
    vce_shape shape;
    uint64_t bytes; /* of the whole model */
    uint64_t reserved;
} vce_header;

#define VCE_MAGIC "vcecell"
#define VCE_VERSION 1
#define VCE_BYTE_ORDER 0x01020304u

/* Where each section begins, in bytes from the header, and how the last one ends. P = D rounded up to the width W. */
typedef struct vce_sections {
    uint64_t boundaries;  /* int32 (L) */
    uint64_t thresholds;  /* double (L-1) */
    uint64_t gate_input;  /* (S) */
    uint64_t gate_hidden; /* (P) */
    uint64_t bias;        /* (P/W panels, gates, W), one more gate for the reset bias where gates == 3 */
    uint64_t panels;      /* (P/W panels, N + D columns, gates, W): inputs first, so that a level reads a prefix;
                             int8: N columns */
    uint64_t head_bias;   /* (C rounded up to W) */
    uint64_t head;        /* (C/W panels rounded up, D columns, W) */
    uint64_t scales;      /* int8: (P/W panels, gates, W) of the recurrent rows */
    uint64_t offsets;     /* int8 with offset: int32 (L, P/W panels, gates, W), -128 times each row's sum up to k */
    uint64_t whole;       /* int8: (P/W panels, D/group columns rounded up, gates, W, group) */
    uint64_t bytes;
} vce_sections;

static inline int64_t vce_padded(int64_t n, int width) { return (n + width - 1) / width * width; }

int vce_shape_ok(const vce_shape *shape);
vce_sections vce_layout(const vce_shape *shape, const struct vce_ops *ops);
void vce_pack_whole(const vce_shape *, const vce_weights *, const struct vce_ops *, unsigned char *base,
                    const vce_sections *at);
uint64_t vce_whole_stride(const vce_shape *shape, const struct vce_ops *ops); /* bytes of a panel of whole numbers */

/* Bytes of one stream's quantised h: at most 2 a dimension, in whole words. */
static inline size_t vce_spare_size(const vce_cell *cell) { return 2 * (size_t)cell->padded + VCE_ALIGN; }

static inline vce_memory vce_memory_of(const vce_cell *cell, void *state)
{
    float *words = state;
    vce_memory memory = {words, words + cell->shape.hidden, words + cell->shape.hidden + cell->shape.outputs, NULL};
    memory.fresh = (uint32_t *)(void *)(memory.recall + 1);
    return memory;
}

#endif
