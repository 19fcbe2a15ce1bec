/* vcedge: one step of a detector: features, linear forecast, scheduler, cell, head, scorer.
 *
 * Memory as in vcedge.h: a packed model (VCE_ALIGN-aligned, read only, without pointers) that holds the packed cell
 * too, a vce_detector that points into it, a scratch for each call. The state is the record of runtime/engine/state.py,
 * whose layout is passed when a model is packed, so that both engines can continue each other's states. Records are
 * 8-aligned.
 *
 * It computes what runtime/engine/numpy_engine.py does: in float32, but standardises, smooths and fuses in float64.
 */
#ifndef VCEDGE_DETECTOR_H
#define VCEDGE_DETECTOR_H

#include "vcedge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VCE_MAX_WINDOW 1048576 /* channels times past rows of one product */

typedef struct vce_detector_shape {
    int32_t channels;      /* C */
    int32_t order;         /* rows that the forecast uses */
    int32_t horizon_order; /* rows that the forecast further ahead uses */
    int32_t ahead;         /* rows that it looks ahead */
    int32_t lags;          /* K rows that are reconstructed together */
    int32_t components;    /* M */
    int32_t centroids;     /* of the rows of training; 0 without a distance */
    int32_t cycle_rows;    /* of one block of a cycle; 0 without one */
    int32_t cycle_blocks;  /* of one cycle; 0 without one */
    int32_t sensors;       /* channels that are forecast */
    int32_t live;          /* channels that are not constant */
    int32_t depth;         /* past rows in the record */
    int32_t hidden;        /* D of the network; 0 without one */
    int32_t flags;         /* whether the missing flags are inputs of the cell */
    int32_t surprise_ticks;
    int32_t reserved;
} vce_detector_shape;

/* clang-format off */
/* Errors that the statistic smooths: F(constant, kind). */
#define VCE_KIND_LIST(F) \
    F(VCE_WHITENED, "whitened") F(VCE_SINGLE, "single") F(VCE_AHEAD, "ahead") F(VCE_WINDOW, "window")

/* What is read of the size of smoothed squares: F(constant, amount). */
#define VCE_AMOUNT_LIST(F) F(VCE_NONE, "none") F(VCE_ROOTS, "roots") F(VCE_RMS, "rms") F(VCE_SUM, "sum")

/* The smoothed squares: F(kind, amount, power of the mean of their rarities). */
#define VCE_TRACK_LIST(F) \
    F(VCE_WHITENED, VCE_ROOTS, 2) F(VCE_WHITENED, VCE_ROOTS, 2) F(VCE_WHITENED, VCE_NONE, 2) \
    F(VCE_SINGLE, VCE_RMS, 4) F(VCE_SINGLE, VCE_RMS, 4) F(VCE_SINGLE, VCE_NONE, 4) \
    F(VCE_AHEAD, VCE_ROOTS, 2) F(VCE_WINDOW, VCE_SUM, 4)

/* What a detector is made of beside its cell, in this order: F(constant, type, field, rows, columns, matrix). A matrix is
 * (outputs, inputs), row-major, like W in W x; it is packed in panels of the SIMD width. The counts are those of
 * detector.c: C channels, K lags, M components, and products of them. Numbers of readings are in lanes, (2, TRACKS):
 * amounts and rarities, with the novelty and the distance in lanes of tracks without an amount (enum vce_lane). */
#define VCE_DETECTOR_SECTIONS(F) \
    F(VCE_CENTER, double, center, C, ONE, 0) \
    F(VCE_SCALE, double, scale, C, ONE, 0) \
    F(VCE_LOW, double, low, C, ONE, 0)                    /* range of training */ \
    F(VCE_HIGH, double, high, C, ONE, 0) \
    F(VCE_MARGIN, double, margin, C, ONE, 0)              /* what is no news beyond it, of channels that are no sensors */ \
    F(VCE_ALPHA, double, alpha, TRACKS, ONE, 0)           /* 2 / (span + 1) */ \
    F(VCE_INITIAL, double, initial, C, TRACKS, 0)         /* what a smoothed square begins with */ \
    F(VCE_INTERCEPT, double, intercept, C, TRACKS, 0)     /* lines from a smoothed square's logarithm to nats */ \
    F(VCE_SLOPE, double, slope, C, TRACKS, 0) \
    F(VCE_USUAL, double, usual, TWO, TRACKS, 0) \
    F(VCE_WEIGHT, double, weight, TWO, TRACKS, 0) \
    F(VCE_LINES, double, lines, NUMBERS, ONE, 0)          /* enum vce_number */ \
    F(VCE_CYCLE_MEAN, double, cycle_mean, TWO, CYCLE_C, 0) \
    F(VCE_CYCLE_SCALE, double, cycle_scale, TWO, CYCLE_C, 0) \
    F(VCE_LAGS, int32_t, lags, K, ONE, 0)                 /* 0 for the present row, increasing */ \
    F(VCE_RECORD, int32_t, record, RECORD, ONE, 0)        /* offset of each field of the record, and its size */ \
    F(VCE_SENSOR, float, sensor, C, ONE, 0)               /* 1 for a channel that is forecast, else 0 */ \
    F(VCE_CHANGE_SCALE, float, change_scale, C, ONE, 0) \
    F(VCE_BIAS, float, bias, C, ONE, 0)                   /* of the forecast */ \
    F(VCE_SPREAD, float, spread, C, ONE, 0)               /* of the forecast's residual */ \
    F(VCE_START, float, start, C, ONE, 0)                 /* intercept of the forecast */ \
    F(VCE_HORIZON_BIAS, float, horizon_bias, C, ONE, 0) \
    F(VCE_HORIZON_SPREAD, float, horizon_spread, C, ONE, 0) \
    F(VCE_HORIZON_START, float, horizon_start, C, ONE, 0) \
    F(VCE_ERROR_SCALE, float, error_scale, NETWORK_C, ONE, 0) \
    F(VCE_MEAN, float, mean, KC, ONE, 0) \
    F(VCE_DISTANCE_SCALE, float, distance_scale, DISTANCE_C, ONE, 0) \
    F(VCE_FORECAST, float, forecast, C, ORDER_C, 1) \
    F(VCE_WHITEN, float, whiten, C, C, 1) \
    F(VCE_FILL, float, fill, C, C, 1)                     /* a channel's residual from the others' */ \
    F(VCE_HORIZON, float, horizon, C, HORIZON_C, 1) \
    F(VCE_COMPONENTS, float, components, M, KC, 1) \
    F(VCE_BACK, float, back, KC, M, 1)                    /* transpose of the components */ \
    F(VCE_CENTROIDS, float, centroids, CENTROIDS, C, 1)

/* Fields of the record (runtime/engine/state.py): F(constant, type, field, items). */
#define VCE_RECORD_FIELDS(F) \
    F(VCE_F_SMOOTH, double, smooth, c * VCE_TRACKS)       /* (C, TRACKS) */ \
    F(VCE_F_READINGS, double, readings, VCE_READINGS) \
    F(VCE_F_NOVELTY, double, novelty, c) \
    F(VCE_F_CYCLE_PART, double, cycle_part, cycle_c)      /* (2, C) sums of the block that is not complete */ \
    F(VCE_F_CYCLE_RING, double, cycle_ring, blocks * cycle_c) /* (blocks, 2, C) */ \
    F(VCE_F_CYCLE_DEVIATION, double, cycle_deviation, cycle_c)            /* (2, C) squared deviations of the last complete cycle */ \
    F(VCE_F_CYCLE_EXCESS, double, cycle_excess, 1) \
    F(VCE_F_SEEN, int64_t, seen, 1) \
    F(VCE_F_FORCED, int32_t, forced, 1) \
    F(VCE_F_CALM, int32_t, calm, 1) \
    F(VCE_F_WAKE, int32_t, wake, 1)                       /* an input of the scheduler, or enum vce_wake */ \
    F(VCE_F_LEVEL, int32_t, level, 1) \
    F(VCE_F_LAGS, float, lags, depth * c)                 /* (depth, C), newest first */ \
    F(VCE_F_FORECAST, float, forecast, c) \
    F(VCE_F_CORRECTION, float, correction, c)             /* the head's output, as its weights are shrunk */ \
    F(VCE_F_RESIDUAL, float, residual, c) \
    F(VCE_F_H, float, h, hidden)
/* clang-format on */

#define VCE_SECTION(constant, type, field, rows, columns, matrix) constant,
#define VCE_WORD(constant, word) constant,
#define VCE_COUNT(kind, amount, power) +1
#define VCE_FIELD(constant, type, field, items) constant,
enum vce_section { VCE_DETECTOR_SECTIONS(VCE_SECTION) VCE_SECTIONS };
enum vce_kind { VCE_KIND_LIST(VCE_WORD) VCE_KINDS };
enum vce_amount { VCE_AMOUNT_LIST(VCE_WORD) VCE_AMOUNTS };
enum { VCE_TRACKS = 0 VCE_TRACK_LIST(VCE_COUNT), VCE_READINGS = 15 };
enum vce_field { VCE_RECORD_FIELDS(VCE_FIELD) VCE_FIELDS };
#undef VCE_SECTION
#undef VCE_WORD
#undef VCE_COUNT
#undef VCE_FIELD

/* Lanes of the tracks' amounts, none of which is of a track without an amount. */
enum vce_lane { VCE_NOVELTY_LANE = 2, VCE_DISTANCE_LANE = 5, VCE_LANES = 2 * VCE_TRACKS };

/* Lines from a logarithm to nats, and the weight of the distance. */
enum vce_number {
    VCE_OFFSET,
    VCE_GAIN,
    VCE_DISTANCE_OFFSET,
    VCE_DISTANCE_GAIN,
    VCE_DISTANCE_WEIGHT,
    VCE_CYCLE_OFFSET,
    VCE_CYCLE_GAIN,
    VCE_NUMBERS
};

enum vce_wake { VCE_WAKE_NONE = -1, VCE_WAKE_SURPRISE = -2, VCE_WAKE_MEMORY = -3 };

/* A model, ready to run. The fields are the kernel's own. */
typedef struct vce_detector {
    const struct vce_ops *ops;
#define VCE_POINTER(constant, type, field, rows, columns, matrix) const type *field;
    VCE_DETECTOR_SECTIONS(VCE_POINTER)
#undef VCE_POINTER
    double clip, surprise_limit;
    vce_detector_shape shape;
    vce_cell cell; /* inputs C, or 2 C with flags; signals 3 C more; outputs C */
} vce_detector;

/* Items of a section as it is given to vce_detector_pack; bytes of one item. */
int64_t vce_section_items(const vce_detector_shape *shape, int section);
int vce_section_bytes(int section);
char vce_section_format(int section);      /* 'd', 'i' or 'f' */
const char *vce_section_name(int section); /* static text */

/* Bytes of a packed detector around a packed cell of `cell_bytes` (0 without one); 0 where the shape is not possible.
 */
size_t vce_detector_size(const vce_detector_shape *shape, int isa, size_t cell_bytes);

/* Pack `sections` (VCE_SECTIONS pointers) and a packed cell of the same instruction set into `model` of `size` bytes.
 */
int vce_detector_pack(const vce_detector_shape *shape, const void *const *sections, double clip, double surprise_limit,
                      const void *cell, size_t cell_bytes, int isa, void *model, size_t size);

/* Check a packed detector, whatever its bytes are, and point into it. */
int vce_detector_open(vce_detector *detector, const void *model, size_t size);

size_t vce_record_size(const vce_detector *detector);
size_t vce_detector_scratch_size(const vce_detector *detector);

/* One step: values (C), not finite where missing; contributions (C) out. Returns the statistic; the level is in
 * `level`. */
double vce_detector_step(const vce_detector *detector, void *record, void *scratch, const double *values,
                         double *contributions, int32_t *level, int min_level, float logit_bias);

/* `rows` steps of one stream: values (rows, C); raw (rows), levels (rows), wakes (rows) and contributions (rows, C)
 * out. */
void vce_detector_run(const vce_detector *detector, void *record, void *scratch, int64_t rows, const double *values,
                      double *raw, int32_t *levels, int32_t *wakes, double *contributions, int min_level,
                      float logit_bias);

#ifdef __cplusplus
}
#endif
#endif
