/* The state of one stream (runtime/stream/state.py): numbers, arrays, and the engine's record, in one block.
 *
 * Each list of fields is written once, as F(type, name, ...). The extension exports the lists with sizes and offsets,
 * and runtime/stream/layout.py compares them with Python's on import.
 */
#ifndef VCEDGE_STREAM_STATE_H
#define VCEDGE_STREAM_STATE_H

#include "detector/detector.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { VCE_TOP = 3, VCE_SPANS = 2, VCE_STATISTICS = 8, VCE_BATCH = 64, VCE_FEATURES = 14 };

/* clang-format off */
/* Statuses of a row: F(constant, word). */
#define VCE_STATUS_LIST(F) \
    F(VCE_WARMUP, "warmup") F(VCE_OK_ROW, "ok") F(VCE_IMPUTED, "imputed") F(VCE_STALE, "stale") F(VCE_GAP, "gap") \
    F(VCE_STUCK, "stuck") F(VCE_LIMIT, "limit") F(VCE_RATE, "rate") F(VCE_CLOCK, "clock") \
    F(VCE_INHIBITED, "inhibited")

/* Kinds of events, in the order of their trackers: F(constant, word). */
#define VCE_EVENT_LIST(F) \
    F(VCE_EVENT_ANOMALY, "anomaly") F(VCE_EVENT_STUCK, "stuck") F(VCE_EVENT_LIMIT, "limit") \
    F(VCE_EVENT_RATE, "rate") F(VCE_EVENT_DROPOUT, "dropout") F(VCE_EVENT_CLOCK, "clock") \
    F(VCE_EVENT_RANGE, "range")
/* clang-format on */

#define VCE_CONSTANT(constant, word) constant,
enum vce_status { VCE_STATUS_LIST(VCE_CONSTANT) VCE_STATUSES };
enum vce_event { VCE_EVENT_LIST(VCE_CONSTANT) VCE_EVENTS };
#undef VCE_CONSTANT

/* clang-format off */
/* One tracker of events; `open` is 0 while there is none. */
#define VCE_TRACKER_FIELDS(F) \
    F(double, peak) F(double, open_peak) F(int64_t, start_ns) F(int64_t, time_ns) F(int64_t, above) \
    F(int64_t, below) F(int64_t, open)

/* Times are -1 where there is none; `manual_threshold` is NaN without a threshold set by hand. */
#define VCE_NUMBER_FIELDS(F) \
    F(double, raw) F(double, balance) F(double, level) F(double, lasting_mean) F(double, lasting) F(double, threshold) \
    F(double, manual_threshold) F(double, widening) F(int64_t, adapts) F(int64_t, seq) F(int64_t, last_ns) \
    F(int64_t, usable_ns) F(int64_t, stale_ns) F(int64_t, before_pause_ns) F(int64_t, rows_since_pause) \
    F(int64_t, candidate_ns) F(int64_t, candidate_rows) F(int64_t, rejected_rows) F(int64_t, running) F(int64_t, until_ns) \
    F(int64_t, inhibited) F(int64_t, spent_rows) F(int64_t, learned_rows) F(int64_t, any_repeats) \
    F(int64_t, any_defect) F(int64_t, last_wake) F(int64_t, wake_age) F(int64_t, event_wake) \
    F(int64_t, feature_rows) F(int64_t, waiting) F(int64_t, range_active)

/* The arrays behind the numbers: F(type, name, items for each channel, further items). */
#define VCE_STATE_ARRAYS(F) \
    F(double, contributions, 1, 0) F(double, last, 1, 0) F(int64_t, repeats, 1, 0) F(double, accepted, 1, 0) \
    F(double, rejected, 1, 0) F(int64_t, accepted_ns, 1, 0) F(int64_t, missing_rows, 1, 0) \
    F(double, range_low, 1, 0) F(double, range_high, 1, 0) F(int64_t, range_rows, 1, 0) \
    F(double, means, VCE_SPANS * VCE_STATISTICS, 0) F(double, feature_sum, 0, VCE_FEATURES) \
    F(float, residual, VCE_BATCH + 1, 0) F(float, z, VCE_BATCH + 1, 0)
/* clang-format on */

#define VCE_DECLARE(type, name) type name;
typedef struct vce_tracker {
    VCE_TRACKER_FIELDS(VCE_DECLARE)
    int32_t top[VCE_TOP], open_top[VCE_TOP];
} vce_tracker;

typedef struct vce_numbers {
    VCE_NUMBER_FIELDS(VCE_DECLARE)
    int32_t top[VCE_TOP], padding; /* leading channels of the last row; see vce_columns */
    vce_tracker events[VCE_EVENTS];
} vce_numbers;
#undef VCE_DECLARE

/* Pointers into one record. */
#define VCE_POINTER(type, name, channels, items) type *name;
typedef struct vce_stream {
    vce_numbers *numbers;
    VCE_STATE_ARRAYS(VCE_POINTER)
    void *engine; /* the detector's record */
} vce_stream;
#undef VCE_POINTER

static inline size_t vce_stream_engine_offset(int channels)
{
    size_t at = sizeof(vce_numbers), c = (size_t)channels;
#define VCE_ADD(type, name, per_channel, items) at += sizeof(type) * (c * (size_t)(per_channel) + (size_t)(items));
    VCE_STATE_ARRAYS(VCE_ADD)
#undef VCE_ADD
    return (at + 7) / 8 * 8;
}

static inline size_t vce_stream_size(const vce_detector *d)
{
    return vce_stream_engine_offset(d->shape.channels) + (vce_record_size(d) + 7) / 8 * 8;
}

static inline vce_stream vce_stream_of(const vce_detector *d, void *record)
{
    vce_stream state = {.numbers = record};
    char *at = (char *)record + sizeof(vce_numbers);
    size_t c = (size_t)d->shape.channels;
#define VCE_PLACE(type, name, per_channel, items)                                                                      \
    state.name = (type *)(void *)at;                                                                                   \
    at += sizeof(type) * (c * (size_t)(per_channel) + (size_t)(items));
    VCE_STATE_ARRAYS(VCE_PLACE)
#undef VCE_PLACE
    state.engine = (char *)record + vce_stream_engine_offset(d->shape.channels);
    return state;
}

#ifdef __cplusplus
}
#endif
#endif
