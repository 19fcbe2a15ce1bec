/* Scores rows of a stream, with the same bits as runtime/stream/python_rows.py, which is the reference.
 *
 * Scoring stops before a row that publishes an event, is out of order, follows a gap or has no usable value: that row
 * changes nothing here and is left to Python. All other rows are complete: missing values, limits, rates, stuck and
 * silent sensors, ranges of training, warm-up, compute budget, rows within an open event, adaptive threshold, and the
 * features of the explainer.
 *
 * Logarithms and exponentials are those of the C library, as in Python's `math`. Nothing is allocated, and all state is
 * in the stream's record.
 */
#ifndef VCEDGE_ROWS_H
#define VCEDGE_ROWS_H

#include "stream/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/* Constants of a stream, from the named modules of runtime/stream: F(type, name). */
#define VCE_RULE_FIELDS(F) \
    F(double, steepness) F(double, max_power)                                 /* the score */ \
    F(double, release) F(double, growth)                                      /* events */ \
    F(double, target) F(double, above_floor) F(double, most_bias)             /* compute_budget */ \
    F(double, rate) F(double, least_bias) F(double, most_saved) \
    F(double, calibrated) F(double, median) F(double, memory)                 /* adaptive_threshold */ \
    F(double, lasting_gain) F(double, most_lasting) F(double, lasting_limit) F(double, lasting_rise) \
    F(double, most_rise) F(double, most_step) F(double, start_rows) F(double, most_imputed) F(double, period_s) \
    F(double, largest) F(double, large) F(double, tiny)                       /* vcedge/resemblance */ \
    F(double, least_change) F(double, least_level) \
    F(int64_t, warmup_rows) F(int64_t, max_gap_ns) \
    F(int64_t, min_rows) F(int64_t, hold_rows) F(int64_t, event_rows) F(int64_t, look_back) F(int64_t, named_rows) \
    F(int64_t, checks_rates) F(int64_t, dropout_rows) F(int64_t, forget_rows)

/* The arrays behind them: F(type, name, items for each channel, further items). */
#define VCE_RULE_ARRAYS(F) \
    F(double, low, 1, 0) F(double, high, 1, 0)                 /* limits of readings */ \
    F(double, rates, 1, 0)                                     /* largest change a second; infinite: unknown */ \
    F(double, change_scale, 1, 0) \
    F(double, seen_low, 1, 0) F(double, seen_high, 1, 0)       /* range in training */ \
    F(double, margin_low, 1, 0) F(double, margin_high, 1, 0) \
    F(double, inner_low, 1, 0) F(double, inner_high, 1, 0)     /* with half of the margins */ \
    F(double, scale, 1, 0)                                     /* standard deviation */ \
    F(int64_t, stuck_rows, 1, 0)                               /* 0: never */ \
    F(int64_t, holds, 0, VCE_EVENTS)                           /* hold_rows of each kind but the anomaly */ \
    F(double, weights, 0, VCE_SPANS * VCE_BATCH)               /* of the rows of a batch, oldest first */ \
    F(double, keeps, 0, VCE_SPANS * (VCE_BATCH + 1))           /* decay of the means over so many rows */

/* Columns of a block of rows, one after the other: F(type, name, items a row; 0: one for each channel). An item of `top`
 * is 128 times a channel plus its share in hundredths; -1: none. */
#define VCE_COLUMN_LIST(F) \
    F(double, raw, 1) F(double, score, 1) F(double, threshold, 1) F(int32_t, updated, 1) F(int32_t, wake, 1) \
    F(int32_t, top, VCE_TOP) F(uint8_t, status, 1) F(uint8_t, alarm, 1) F(uint8_t, in_event, 1) F(uint8_t, missing, 0)
/* clang-format on */

#define VCE_DECLARE(type, name) type name;
#define VCE_ARRAY(type, name, channels, items) const type *name;
#define VCE_COLUMN(type, name, items) type *name;
typedef struct vce_rules {
    VCE_RULE_FIELDS(VCE_DECLARE)
} vce_rules;

typedef struct vce_rule_arrays {
    VCE_RULE_ARRAYS(VCE_ARRAY)
} vce_rule_arrays;

typedef struct vce_columns {
    VCE_COLUMN_LIST(VCE_COLUMN)
} vce_columns;
#undef VCE_DECLARE
#undef VCE_ARRAY
#undef VCE_COLUMN

/* Rows, and where their results go. */
typedef struct vce_rows {
    int64_t count;
    const int64_t *time_ns; /* (N) */
    const double *values;   /* (N, C) */
    void *columns;          /* see VCE_COLUMN_LIST */
} vce_rows;

/* The compute policy: a floor under the level, and a bias on the scheduler's logit. */
typedef struct vce_policy {
    int min_level;
    double logit_bias;
} vce_policy;

size_t vce_rules_size(int channels);
size_t vce_columns_size(int channels, size_t rows);
size_t vce_rows_scratch_size(const vce_detector *detector);

/* Score rows [start, stop) of one stream. Return the first row that is left to Python, or VCE_BAD_NUMBER, below 0, if
 * the record is not possible. Rules and record are 8-aligned, of the sizes of vce_rules_size and vce_stream_size. */
int64_t vce_score_rows(const vce_detector *detector, const void *rules, void *record, void *scratch,
                       const vce_rows *rows, int64_t start, int64_t stop, vce_policy policy);

#ifdef __cplusplus
}
#endif
#endif
