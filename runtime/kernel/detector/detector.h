/* vcedge: one step of the whole detector: features, linear forecast, scheduler, cell, head, scorer.
 *
 * Memory as in vcedge.h: a packed model (VCE_ALIGN-aligned, read only, without pointers) that holds the packed cell too, a
 * vce_detector that points into it, a scratch for each call. The state is the record of runtime/state.py: its layout is
 * handed over when a model is packed, so that both engines go on with each other's state. Records are 8-aligned.
 *
 * What is computed is runtime/numpy_engine.py: float32, but float64 to standardise, to smooth and to fuse.
 */
#ifndef VCEDGE_DETECTOR_H
#define VCEDGE_DETECTOR_H

#include "vcedge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VCE_MAX_WINDOW 1048576 /* channels times past rows of one product */
#define VCE_MAX_PARTS 64

typedef struct vce_detector_shape {
    int32_t channels;      /* C */
    int32_t order;         /* rows that the forecast uses */
    int32_t horizon_order; /* rows that the forecast further ahead uses */
    int32_t ahead;         /* rows that it looks ahead */
    int32_t lags;          /* K rows that are reconstructed together */
    int32_t components;    /* M */
    int32_t parts;         /* of the scorer */
    int32_t depth;         /* past rows in the record */
    int32_t hidden;        /* D of the network; 0 without one */
    int32_t flags;         /* whether the missing flags are inputs of the cell */
    int32_t surprise_ticks;
    int32_t reserved;
} vce_detector_shape;

/* What a detector is made of beside its cell, in this order. A matrix is (outputs, inputs), row-major, like W in W x. */
enum vce_section {
    VCE_CENTER,         /* double (C) */
    VCE_SCALE,          /* double (C) */
    VCE_ALPHA,          /* double (parts): 2 / (span + 1) */
    VCE_WEIGHT,         /* double (parts) */
    VCE_USUAL,          /* double (parts) */
    VCE_INITIAL,        /* double (parts): what a smoothed value begins with */
    VCE_KINDS,          /* int32 (parts): enum vce_part */
    VCE_LAGS,           /* int32 (K): 0 for the present row, increasing */
    VCE_RECORD,         /* int32 (VCE_FIELDS + 1): where each field of the record begins, and the record's bytes */
    VCE_CHANGE_SCALE,   /* float (C) */
    VCE_BIAS,           /* float (C) of the forecast */
    VCE_SPREAD,         /* float (C) of its residual */
    VCE_START,          /* float (C) intercept of the forecast */
    VCE_HORIZON_BIAS,   /* float (C) */
    VCE_HORIZON_SPREAD, /* float (C) */
    VCE_HORIZON_START,  /* float (C) */
    VCE_ERROR_SCALE,    /* float (C), with a network */
    VCE_MEAN,           /* float (K C) */
    VCE_FORECAST,       /* matrix (C, order C) */
    VCE_WHITEN,         /* matrix (C, C) */
    VCE_HORIZON,        /* matrix (C, horizon_order C) */
    VCE_COMPONENTS,     /* matrix (M, K C) */
    VCE_BACK,           /* matrix (K C, M): its transpose */
    VCE_SECTIONS
};

enum vce_part { VCE_PART_ERROR, VCE_PART_HORIZON, VCE_PART_RECONSTRUCTION, VCE_PARTS };

/* Fields of the record, in the order of runtime/state.py. */
enum vce_field {
    VCE_F_SMOOTH,     /* double (parts, C) */
    VCE_F_PARTS,      /* double (parts) */
    VCE_F_SEEN,       /* int64 */
    VCE_F_FORCED,     /* int32 */
    VCE_F_CALM,       /* int32 */
    VCE_F_WAKE,       /* int32: an input of the scheduler, or enum vce_wake */
    VCE_F_LEVEL,      /* int32 */
    VCE_F_LAGS,       /* float (depth, C), newest first */
    VCE_F_FORECAST,   /* float (C) */
    VCE_F_CORRECTION, /* float (C) the head's output: the shrinking is in its weights */
    VCE_F_RESIDUAL,   /* float (C) */
    VCE_F_H,          /* float (D) */
    VCE_F_HELD,       /* bytes (C) */
    VCE_FIELDS
};

enum vce_wake { VCE_WAKE_NONE = -1, VCE_WAKE_SURPRISE = -2, VCE_WAKE_MEMORY = -3 };

/* A model, ready to run. The fields are the kernel's own. */
typedef struct vce_detector {
    const struct vce_ops *ops;
    const double *center, *scale, *alpha, *weight, *usual, *initial;
    const int32_t *kinds, *lags, *record;
    const float *change_scale, *bias, *spread, *start, *horizon_bias, *horizon_spread, *horizon_start, *error_scale, *mean;
    const float *forecast, *whiten, *horizon, *components, *back;
    double clip, surprise_limit;
    vce_detector_shape shape;
    vce_cell cell; /* inputs C, or 2 C with flags; signals 3 C more; outputs C */
} vce_detector;

/* Items of a section as it is given to vce_detector_pack; bytes of one item. */
int64_t vce_section_items(const vce_detector_shape *shape, int section);
int vce_section_bytes(int section);
char vce_section_format(int section);      /* 'd', 'i' or 'f' */
const char *vce_section_name(int section); /* static text */

/* Bytes of a packed detector around a packed cell of `cell_bytes` (0 without one); 0 where the shape is not possible. */
size_t vce_detector_size(const vce_detector_shape *shape, int isa, size_t cell_bytes);

/* Pack `sections` (VCE_SECTIONS pointers) and a packed cell of the same instruction set into `model` of `size` bytes. */
int vce_detector_pack(const vce_detector_shape *shape, const void *const *sections, double clip, double surprise_limit,
                      const void *cell, size_t cell_bytes, int isa, void *model, size_t size);

/* Check a packed detector, whatever its bytes are, and point into it. */
int vce_detector_open(vce_detector *detector, const void *model, size_t size);

size_t vce_record_size(const vce_detector *detector);
size_t vce_detector_scratch_size(const vce_detector *detector);

/* One step: values (C), not finite where missing; contributions (C) out. Returns the statistic; the level is in `level`. */
double vce_detector_step(const vce_detector *detector, void *record, void *scratch, const double *values,
                         double *contributions, int32_t *level, int min_level, float logit_bias);

/* `rows` steps of one stream: values (rows, C); raw (rows), levels (rows), wakes (rows) and contributions (rows, C) out. */
void vce_detector_run(const vce_detector *detector, void *record, void *scratch, int64_t rows, const double *values,
                      double *raw, int32_t *levels, int32_t *wakes, double *contributions, int min_level,
                      float logit_bias);

#ifdef __cplusplus
}
#endif
#endif
