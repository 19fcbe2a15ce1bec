/* Many rows of one stream: what runtime/stream.py decides about a row, to the same bits.
 *
 * Rows are judged until one publishes an event, is out of order, or follows a gap: that row is left as if it had not been
 * looked at, for Stream.push, which is the oracle and all there is for single samples. Everything else is done here:
 * missing values, limits, leaps, sensors that stand still or are silent, warm-up, the budget of computing, the rows of an
 * open event, the adaptive threshold, and the shape that the explainer follows.
 *
 * Rules and memory are records of 8-byte fields, which the caller fills by name; logarithms and exponentials are those
 * of the C library, as in Python's `math`. Nothing is allocated.
 */
#ifndef VCEDGE_JUDGE_H
#define VCEDGE_JUDGE_H

#include "detector/detector.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { VCE_TOP = 3, VCE_SPANS = 2, VCE_STATISTICS = 8, VCE_BATCH = 64, VCE_FEATURES = 14 };

/* In the order of runtime/score.py. */
enum vce_status {
    VCE_WARMUP, VCE_USUAL_ROW, VCE_IMPUTED, VCE_STALE, VCE_GAP, VCE_STUCK, VCE_LIMIT, VCE_RATE, VCE_CLOCK, VCE_INHIBITED,
    VCE_STATUSES
};

/* In the order of runtime/sensor_health.py. */
enum vce_defect {
    VCE_DEFECT_STUCK, VCE_DEFECT_LIMIT, VCE_DEFECT_RATE, VCE_DEFECT_DROPOUT, VCE_DEFECT_CLOCK, VCE_DEFECTS
};

/* What a stream does not change: of detector.py's Calibration and of the modules named; F(type, name). */
#define VCE_RULES(F)                                                                                                    \
    F(double, limit) F(double, steepness) F(double, max_power)                /* by hand, where `by_hand`; the score */ \
    F(double, release) F(double, growth)                                      /* events.py */                           \
    F(double, target) F(double, rate) F(double, least_bias) F(double, most_saved) /* budget.py */                       \
    F(double, calibrated) F(double, median) F(double, clip) F(double, relief) /* adaptive.py */                         \
    F(double, gain) F(double, most) F(double, slack) F(double, smallest)                                                \
    F(double, most_imputed) F(double, period_s)                                                                         \
    F(double, largest) F(double, large) F(double, tiny) F(double, least_change) F(double, least_level) /* resemblance.py */ \
    F(int64_t, by_hand) F(int64_t, learning) F(int64_t, settling) F(int64_t, settling_start)                            \
    F(int64_t, warmup_rows) F(int64_t, max_gap_ns) F(int64_t, min_rows) F(int64_t, hold_rows)                           \
    F(int64_t, event_rows) F(int64_t, look_back) F(int64_t, shapes) F(int64_t, leaps) F(int64_t, dropout_rows)

/* What it remembers beside arrays. `usable_ns` is below 0 before there is one. */
#define VCE_MEMORY(F)                                                                                                   \
    F(double, raw) F(double, balance) F(double, level) F(double, pressure) F(double, value)                             \
    F(double, open_peak) F(double, peak)                                                                                \
    F(int64_t, seq) F(int64_t, last_ns) F(int64_t, usable_ns) F(int64_t, spent_rows) F(int64_t, learned_rows)           \
    F(int64_t, open) F(int64_t, start_ns) F(int64_t, above) F(int64_t, below)                    \
    F(int64_t, reason) F(int64_t, age) F(int64_t, why) F(int64_t, shape_rows) F(int64_t, waiting)

#define VCE_DECLARE(type, name) type name;
typedef struct vce_rules { VCE_RULES(VCE_DECLARE) } vce_rules;
typedef struct vce_stream { VCE_MEMORY(VCE_DECLARE) } vce_stream;
#undef VCE_DECLARE

/* One stream: what it is judged by, and its memory, which changes. All is the caller's. */
typedef struct vce_judge {
    const vce_detector *detector;
    const vce_rules *rules;
    const double *low, *high;    /* (C) limits of readings */
    const int64_t *stuck_rows;   /* (C) 0: never */
    const double *rates;         /* (C) the largest change a second; infinite: not known */
    const int64_t *holds;        /* (VCE_DEFECTS) rows that are waited for before a defect's event ends */
    const double *change_scale;  /* (C) */
    const double *weights;       /* (VCE_SPANS, VCE_BATCH) of the rows of a batch, oldest first */
    const double *keeps;         /* (VCE_SPANS, VCE_BATCH + 1) of the means before so many rows */
    vce_stream *memory;
    void *record;                /* the detector's state */
    double *contributions;       /* (C) of the last row */
    double *last;                /* (C) last readings */
    int64_t *run;                /* (C) rows for which each stood still */
    double *believed, *refused;  /* (C) last readings that were believed; the last one where it was not, else NaN */
    int64_t *times;              /* (C) of the believed ones, in nanoseconds */
    int64_t *absent;             /* (C) rows in a row without a value */
    int64_t *defects;            /* (VCE_DEFECTS, 2) whether an event is open, and rows since its defect was there */
    double *means;               /* (VCE_SPANS, VCE_STATISTICS, C) */
    double *sum;                 /* (VCE_FEATURES) */
    double *residual, *z;        /* (VCE_BATCH + 1, C) */
    int32_t *tops;               /* (2, VCE_TOP) of the last row, of the event's largest; see vce_rows */
} vce_judge;

/* Rows in, and what is said of each. */
typedef struct vce_rows {
    const int64_t *time_ns;
    const double *values;                /* (N, C) */
    double *raw, *score, *threshold;     /* (N) */
    int32_t *updated, *wake;             /* (N) */
    int32_t *top;                        /* (N, VCE_TOP): 128 times the channel, plus its share in hundredths; -1: none */
    uint8_t *status, *alarm, *in_event;  /* (N) */
    uint8_t *missing;                    /* (N, C) */
} vce_rows;

size_t vce_judge_scratch_size(const vce_detector *detector);

/* Judge rows [start, stop); returns the first one that is left. VCE_BAD_NUMBER below 0 where the memory is not possible. */
int64_t vce_judge_rows(const vce_judge *judge, void *scratch, const vce_rows *rows, int64_t start, int64_t stop,
                       int min_level, double logit_bias);

#ifdef __cplusplus
}
#endif
#endif
