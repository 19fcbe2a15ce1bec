/* Scores rows in the order of runtime/stream/python_rows.py. */
#include <math.h>
#include <string.h>

#include "detector/detector_internal.h"
#include "stream/rows.h"

/* One call: the stream's constants and state, and scratch for one row. */
typedef struct scoring {
    const vce_detector *detector;
    const vce_rules *rules;
    vce_rule_arrays arrays;
    vce_stream state;
    vce_policy policy;
    double target;                           /* of the mean updated share under the policy */
    void *step;                              /* scratch of the detector's step */
    char *saved;                             /* the detector's record before the row */
    double *values, *contributions, *excess; /* (C) */
    double *statistics;                      /* (VCE_STATISTICS, C) */
    uint8_t *beyond_limits, *too_fast;       /* (C) */
} scoring;

static double larger_of(double a, double b) { return b > a ? b : a; }
static double smaller_of(double a, double b) { return b < a ? b : a; }

static double threshold_of(const vce_numbers *n)
{
    return isnan(n->manual_threshold) ? n->threshold + n->widening : n->manual_threshold;
}

static vce_tracker *anomaly_of(const scoring *run) { return run->state.numbers->events + VCE_EVENT_ANOMALY; }

#include "stream/sensors.inc"
#include "stream/resemblance.inc"
#include "stream/events.inc"
#include "stream/score.inc"
#include "stream/range.inc"

static size_t channel_bytes(const vce_detector *d) { return sizeof(double) * (size_t)d->shape.channels; }

size_t vce_rules_size(int channels)
{
    size_t at = sizeof(vce_rules), c = (size_t)channels;
#define ADD(type, name, per_channel, items) at += sizeof(type) * (c * (size_t)(per_channel) + (size_t)(items));
    VCE_RULE_ARRAYS(ADD)
#undef ADD
    return at;
}

size_t vce_columns_size(int channels, size_t rows)
{
    size_t bytes = 0;
#define ADD(type, name, items) bytes += sizeof(type) * (size_t)((items) ? (items) : channels);
    VCE_COLUMN_LIST(ADD)
#undef ADD
    return rows * bytes;
}

size_t vce_rows_scratch_size(const vce_detector *d)
{
    return vce_aligned(vce_detector_scratch_size(d)) + vce_aligned(vce_record_size(d)) +
           (3 + VCE_STATISTICS) * channel_bytes(d) + 2 * (size_t)d->shape.channels;
}

static vce_rule_arrays rule_arrays_of(const void *rules, int channels)
{
    vce_rule_arrays arrays;
    const char *at = (const char *)rules + sizeof(vce_rules);
    size_t c = (size_t)channels;
#define PLACE(type, name, per_channel, items)                                                                          \
    arrays.name = (const type *)(const void *)at;                                                                      \
    at += sizeof(type) * (c * (size_t)(per_channel) + (size_t)(items));
    VCE_RULE_ARRAYS(PLACE)
#undef PLACE
    return arrays;
}

static vce_columns columns_of(const vce_rows *rows, int channels)
{
    vce_columns columns;
    char *at = rows->columns;
#define PLACE(type, name, items)                                                                                       \
    columns.name = (type *)(void *)at;                                                                                 \
    at += sizeof(type) * (size_t)rows->count * (size_t)((items) ? (items) : channels);
    VCE_COLUMN_LIST(PLACE)
#undef PLACE
    return columns;
}

static scoring scoring_of(const vce_detector *d, const void *rules, void *record, char *scratch, vce_policy policy)
{
    char *saved = scratch + vce_aligned(vce_detector_scratch_size(d)),
         *values = saved + vce_aligned(vce_record_size(d));
    char *contributions = values + channel_bytes(d), *excess = contributions + channel_bytes(d),
         *statistics = excess + channel_bytes(d);
    uint8_t *flags = (uint8_t *)statistics + VCE_STATISTICS * channel_bytes(d);
    return (scoring){
        .detector = d,
        .rules = rules,
        .arrays = rule_arrays_of(rules, d->shape.channels),
        .state = vce_stream_of(d, record),
        .policy = policy,
        .target = target_of(rules, policy.logit_bias),
        .step = scratch,
        .saved = saved,
        .values = (double *)(void *)values,
        .contributions = (double *)(void *)contributions,
        .excess = (double *)(void *)excess,
        .statistics = (double *)(void *)statistics,
        .beyond_limits = flags,
        .too_fast = flags + d->shape.channels,
    };
}

static void write_row(const scoring *run, const vce_columns *to, int64_t row, int status, int32_t updated, int32_t wake)
{
    const vce_numbers *n = run->state.numbers;
    double threshold = threshold_of(n), evidence = evidence_of(n, n->raw);
    to->raw[row] = n->raw;
    to->score[row] = score_of(run->rules, evidence, threshold);
    to->threshold[row] = threshold;
    to->alarm[row] = status != VCE_WARMUP && evidence > threshold;
    to->in_event[row] = anomaly_of(run)->open != 0;
    to->updated[row] = updated, to->wake[row] = wake;
    to->status[row] = (uint8_t)status;
    memcpy(to->top + row * VCE_TOP, n->top, sizeof n->top);
}

static int status_of(const health *found, int warming)
{
    return warming                ? VCE_WARMUP
           : found->beyond_limits ? VCE_LIMIT
           : found->too_fast      ? VCE_RATE
           : found->stuck         ? VCE_STUCK
           : found->missing       ? VCE_IMPUTED
                                  : VCE_OK_ROW;
}

/* Score one row. Return whether it is done; if not, nothing has changed. */
static int score_row(const scoring *run, const vce_rows *rows, const vce_columns *to, int64_t row)
{
    const vce_detector *d = run->detector;
    const vce_rules *rules = run->rules;
    vce_numbers *n = run->state.numbers;
    int channels = d->shape.channels;
    int64_t time_ns = rows->time_ns[row];
    const double *from = rows->values + row * channels;
    double threshold = threshold_of(n);
    uint8_t *missing = to->missing + row * channels;
    if (time_ns <= n->last_ns || time_ns - n->last_ns > rules->max_gap_ns ||
        (n->usable_ns >= 0 && time_ns - n->usable_ns > rules->max_gap_ns))
        return 0;
    health found = check(run, time_ns, from, missing);
    if (found.missing == channels)
        return 0;
    find_defects(run, missing, &found);
    const range_row range = check_range(run);
    if (defects_would_publish(run, &found) || range_would_publish(run, &range))
        return 0;

    vce_record r = vce_record_of(d, run->state.engine);
    int warming = *r.seen < rules->warmup_rows, levels = d->shape.hidden ? d->cell.shape.levels : 1;
    double bias = anomaly_of(run)->open && n->spent_rows < rules->event_rows ? 0.0 : smaller_of(n->balance, 0.0);
    int32_t level;
    memcpy(run->saved, run->state.engine, vce_record_size(d));
    double raw = vce_detector_step(d, run->state.engine, run->step, run->values, run->contributions, &level,
                                   run->policy.min_level, (float)(run->policy.logit_bias + bias));
    double evidence = evidence_of(n, raw);
    if (would_publish(run, evidence, threshold, warming)) {
        memcpy(run->state.engine, run->saved, vce_record_size(d));
        return 0;
    }
    int32_t updated = d->shape.hidden ? d->cell.boundaries[level - 1] : 0, wake = *r.wake;
    n->seq++, n->last_ns = n->usable_ns = time_ns, n->raw = raw;
    n->candidate_ns = -1, n->candidate_rows = 0;
    if (rules->checks_rates)
        remember_accepted(run, time_ns, from);
    remember_defects(run, missing, &found);
    follow_range(run, &range);
    memcpy(run->state.contributions, run->contributions, channel_bytes(d));
    if (levels > 1)
        spend(run, updated);
    top_channels(run->contributions, raw, channels, n->top);
    follow_events(run, time_ns, evidence, threshold, warming);
    if (rules->named_rows)
        follow_features(run, r.residual, r.lags, anomaly_of(run)->open != 0);
    follow_wake(run, wake);
    int status = status_of(&found, warming);
    write_row(run, to, row, status, updated, wake);
    int few = (double)found.missing / channels <= rules->most_imputed;
    if (n->adapts && status != VCE_WARMUP && few)
        learn(run);
    return 1;
}

int64_t vce_score_rows(const vce_detector *detector, const void *rules, void *record, void *scratch,
                       const vce_rows *rows, int64_t start, int64_t stop, vce_policy policy)
{
    const vce_numbers *n = record;
    if (n->last_ns < 0 || n->waiting < 0 || n->waiting >= VCE_BATCH || !(threshold_of(n) > 0))
        return VCE_BAD_NUMBER;
    scoring run = scoring_of(detector, rules, record, scratch, policy);
    vce_columns to = columns_of(rows, detector->shape.channels);
    while (start < stop && score_row(&run, rows, &to, start))
        start++;
    return start;
}
