/* Rows of streams: what runtime/stream/stream.py decides about a row, to the same bits.
 *
 * Rows are judged until one publishes an event, is out of order, or follows a gap: that row is left as if it had not
 * been looked at, for Stream.push, which is the oracle and all there is for such rows. Everything else is done here:
 * missing values, limits, leaps, sensors that stand still or are silent, warm-up, the budget of computing, the rows of
 * an open event, the adaptive threshold, and the shape that the explainer follows.
 *
 * Logarithms and exponentials are those of the C library, as in Python's `math`. Nothing is allocated, and all that a
 * stream remembers is its record: many streams are many records.
 */
#ifndef VCEDGE_ROWS_H
#define VCEDGE_ROWS_H

#include "stream/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/* What a stream does not change: constants of the Python modules that are named; F(type, name). */
#define VCE_RULE_FIELDS(F)                                                                                              \
    F(double, steepness) F(double, max_power)                                 /* the score */                           \
    F(double, release) F(double, growth)                                      /* events.py */                           \
    F(double, target) F(double, above_floor) F(double, most_bias)             /* compute_budget.py */                   \
    F(double, rate) F(double, least_bias) F(double, most_saved)                                                         \
    F(double, calibrated) F(double, median) F(double, clip) F(double, relief) /* adaptive_threshold.py */               \
    F(double, gain) F(double, most) F(double, slack) F(double, smallest)                                                \
    F(double, most_imputed) F(double, period_s)                                                                         \
    F(double, largest) F(double, large) F(double, tiny) F(double, least_change) F(double, least_level) /* resemblance.py */ \
    F(int64_t, settling) F(int64_t, settling_start) F(int64_t, warmup_rows) F(int64_t, max_gap_ns)                      \
    F(int64_t, min_rows) F(int64_t, hold_rows) F(int64_t, event_rows) F(int64_t, look_back) F(int64_t, shapes)          \
    F(int64_t, leaps) F(int64_t, dropout_rows)

/* The arrays behind them: F(type, name, items for each channel, further items). */
#define VCE_RULE_ARRAYS(F)                                                                                              \
    F(double, low, 1, 0) F(double, high, 1, 0)   /* limits of readings */                                               \
    F(double, rates, 1, 0)                       /* the largest change a second; infinite: not known */                 \
    F(double, change_scale, 1, 0) F(int64_t, stuck_rows, 1, 0) /* 0: never */                                           \
    F(int64_t, holds, 0, VCE_EVENTS)             /* rows that are waited for before an event ends; not of the anomaly */ \
    F(double, weights, 0, VCE_SPANS *VCE_BATCH)  /* of the rows of a batch, oldest first */                             \
    F(double, keeps, 0, VCE_SPANS *(VCE_BATCH + 1)) /* of the means before so many rows */

/* Columns of the rows of a block, one behind the other: F(type, name, items a row; 0: one for each channel). In `top` a
 * channel and its share are 128 times the channel, plus the share in hundredths; -1: none. */
#define VCE_COLUMN_LIST(F)                                                                                              \
    F(double, raw, 1) F(double, score, 1) F(double, threshold, 1) F(int32_t, updated, 1) F(int32_t, wake, 1)            \
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

/* Rows in, and what is said of each. */
typedef struct vce_rows {
    int64_t count;
    const int64_t *time_ns; /* (N) */
    const double *values;   /* (N, C) */
    void *columns;          /* see VCE_COLUMN_LIST */
} vce_rows;

/* What a step must compute: a floor under the level, and what is added to the scheduler's logit. */
typedef struct vce_policy {
    int min_level;
    double logit_bias;
} vce_policy;

size_t vce_rules_size(int channels);
size_t vce_columns_size(int channels, size_t rows);
size_t vce_rows_scratch_size(const vce_detector *detector);

/* Judge rows [start, stop) of one stream; returns the first one that is left. VCE_BAD_NUMBER below 0 where the record
 * is not possible. Rules and record are blocks of bytes aligned to 8, of the sizes above. */
int64_t vce_judge_rows(const vce_detector *detector, const void *rules, void *record, void *scratch,
                       const vce_rows *rows, int64_t start, int64_t stop, vce_policy policy);

#ifdef __cplusplus
}
#endif
#endif
