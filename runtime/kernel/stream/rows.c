/* A row's decisions, in the order of Stream.push. */
#include <math.h>
#include <string.h>

#include "detector/detector_internal.h"
#include "stream/rows.h"

/* One stream at work: what it is judged by, its state, and where one row's values lie meanwhile. */
typedef struct judging {
    const vce_detector *detector;
    const vce_rules *rules;
    vce_rule_arrays fixed;
    vce_stream state;
    vce_policy policy;
    double target;                         /* what the mean updated share is held to under the policy */
    void *step;                            /* scratch of the detector's step */
    char *saved;                           /* the detector's record before the row */
    double *values, *contributions, *room; /* (C), (C), (VCE_STATISTICS, C) */
    uint8_t *beyond, *leap;                /* (C) */
} judging;

#include "stream/sensors.inc"
#include "stream/shape.inc"

static size_t rounded(size_t bytes) { return (bytes + VCE_ALIGN - 1) / VCE_ALIGN * VCE_ALIGN; }

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
    return rounded(vce_detector_scratch_size(d)) + rounded(vce_record_size(d)) +
           (2 + VCE_STATISTICS) * channel_bytes(d) + 2 * (size_t)d->shape.channels;
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

static double larger_of(double a, double b) { return b > a ? b : a; }
static double smaller_of(double a, double b) { return b < a ? b : a; }

/* As ComputeBudget.target. */
static double target_of(const vce_rules *rules, double logit_bias)
{
    double looser = (exp(smaller_of(logit_bias, rules->most_bias)) - 1.0) * rules->above_floor;
    return smaller_of(rules->target + looser, 1.0);
}

static judging judging_of(const vce_detector *d, const void *rules, void *record, char *scratch, vce_policy policy)
{
    char *saved = scratch + rounded(vce_detector_scratch_size(d)), *values = saved + rounded(vce_record_size(d));
    char *contributions = values + channel_bytes(d), *room = contributions + channel_bytes(d);
    uint8_t *beyond = (uint8_t *)room + VCE_STATISTICS * channel_bytes(d);
    return (judging){
        .detector = d,
        .rules = rules,
        .fixed = rule_arrays_of(rules, d->shape.channels),
        .state = vce_stream_of(d, record),
        .policy = policy,
        .target = target_of(rules, policy.logit_bias),
        .step = scratch,
        .saved = saved,
        .values = (double *)(void *)values,
        .contributions = (double *)(void *)contributions,
        .room = (double *)(void *)room,
        .beyond = beyond,
        .leap = beyond + d->shape.channels,
    };
}

/* The quotient in hundredths, rounded half to even as Python's round(x, 2): exactly. */
static int32_t hundredths(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int shift = 1075 - (int)(bits >> 52);
    if (shift > 62 || !(x > 0))
        return 0;
    if (shift < 8)
        return 127; /* more than fits: never of shares */
    uint64_t product = ((bits & 0xfffffffffffffu) | 0x10000000000000u) * 100, whole = product >> shift;
    uint64_t rest = product & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    whole += rest > half || (rest == half && (whole & 1));
    return whole > 127 ? 127 : (int32_t)whole;
}

/* Up to three channels with the largest shares of the statistic, the first of equals first. */
static void top_channels(const double *contributions, double raw, int channels, int32_t *top)
{
    int32_t best[VCE_TOP], found = 0, kept = 0;
    for (int32_t c = 0; c < channels; c++) {
        int32_t place = found < VCE_TOP ? found++ : VCE_TOP;
        while (place > 0 && contributions[c] > contributions[best[place - 1]]) {
            if (place < VCE_TOP)
                best[place] = best[place - 1];
            place--;
        }
        if (place < VCE_TOP)
            best[place] = c;
    }
    for (int32_t i = 0; i < VCE_TOP; i++)
        top[i] = -1;
    for (int32_t i = 0; raw > 0 && i < found; i++) {
        int32_t share = hundredths(contributions[best[i]] / raw);
        if (share > 0)
            top[kept++] = 128 * best[i] + share;
    }
}

static double threshold_of(const vce_numbers *m) { return isnan(m->by_hand) ? m->threshold : m->by_hand; }

static vce_tracker *anomaly_of(const judging *j) { return j->state.numbers->events + VCE_EVENT_ANOMALY; }

/* Whether the tracker of anomalies would publish something. */
static int publishes(const judging *j, double raw, double threshold, int warming)
{
    const vce_tracker *anomaly = anomaly_of(j);
    if (!anomaly->open)
        return !warming && raw > threshold && anomaly->above + 1 >= j->rules->min_rows;
    return raw < j->rules->release * threshold ? anomaly->below >= j->rules->hold_rows
                                               : raw > j->rules->growth * anomaly->open_peak;
}

/* The tracker of anomalies after a row that publishes nothing. */
static void follow_events(const judging *j, int64_t time_ns, double raw, double threshold, int warming)
{
    vce_tracker *anomaly = anomaly_of(j);
    int larger = raw > anomaly->peak;
    if (!anomaly->open) {
        if (warming || !(raw > threshold)) {
            if (anomaly->above) {
                anomaly->start_ns = anomaly->above = anomaly->below = 0, anomaly->peak = 0;
                memset(anomaly->top, -1, sizeof anomaly->top);
            }
            return;
        }
        if (anomaly->above == 0)
            anomaly->start_ns = time_ns, larger = 1;
        anomaly->above++;
    } else if (raw < j->rules->release * threshold) {
        anomaly->below++;
        return;
    } else
        anomaly->below = 0;
    if (larger) {
        anomaly->peak = raw;
        memcpy(anomaly->top, j->state.numbers->top, sizeof anomaly->top);
    }
}

static void follow_reason(const judging *j, int64_t wake)
{
    vce_numbers *m = j->state.numbers;
    if (wake != VCE_WAKE_NONE)
        m->reason = wake, m->age = 0;
    else
        m->age++;
    if (!anomaly_of(j)->open)
        m->why = VCE_WAKE_NONE;
    else if (m->why == VCE_WAKE_NONE && m->age <= j->rules->look_back)
        m->why = m->reason;
}

/* A floor that somebody asked for is not the scheduler's, and not counted. */
static void spend(const judging *j, int32_t updated)
{
    vce_numbers *m = j->state.numbers;
    const vce_rules *rules = j->rules;
    const vce_detector *d = j->detector;
    int levels = d->cell.shape.levels, floor = j->policy.min_level;
    floor = floor < 1 ? 1 : floor > levels ? levels : floor;
    double share = (double)(updated - d->cell.boundaries[floor - 1] + d->cell.boundaries[0]) / (double)d->shape.hidden;
    m->spent_rows = anomaly_of(j)->open ? m->spent_rows + 1 : 0;
    double balance = m->balance + rules->rate * (j->target - share);
    m->balance = smaller_of(larger_of(balance, rules->least_bias), rules->most_saved);
}

static void learn(const judging *j)
{
    vce_numbers *m = j->state.numbers;
    const vce_rules *rules = j->rules;
    double gain = rules->gain;
    if (m->learned_rows < rules->settling)
        gain = larger_of(gain, 1.0 / (double)(m->learned_rows + rules->settling_start));
    else if (anomaly_of(j)->open || m->raw > m->threshold)
        return;
    m->learned_rows++;
    double deviation = log(larger_of(m->raw, rules->smallest)) - rules->median - m->drift;
    m->drift += gain * smaller_of(larger_of(deviation, -rules->clip), rules->clip);
    m->drift = smaller_of(larger_of(m->drift, 0.0), rules->most + rules->slack);
    m->pressure = larger_of(m->pressure - rules->relief, 0.0);
    double level = larger_of(m->drift - rules->slack, 0.0);
    m->threshold = rules->calibrated * exp(smaller_of(level + m->pressure, rules->most));
}

static double score_of(const vce_rules *rules, double raw, double limit)
{
    if (raw <= 0.0)
        return 0.0;
    double power = rules->steepness * (log(limit) - log(raw));
    return 1.0 / (1.0 + exp(smaller_of(larger_of(power, -rules->max_power), rules->max_power)));
}

static void write_row(const judging *j, const vce_columns *to, int64_t row, int status, int32_t updated, int32_t wake)
{
    const vce_numbers *m = j->state.numbers;
    double threshold = threshold_of(m);
    to->raw[row] = m->raw;
    to->score[row] = score_of(j->rules, m->raw, threshold);
    to->threshold[row] = threshold;
    to->alarm[row] = status != VCE_WARMUP && m->raw > threshold;
    to->in_event[row] = anomaly_of(j)->open != 0;
    to->updated[row] = updated, to->wake[row] = wake;
    to->status[row] = (uint8_t)status;
    memcpy(to->top + row * VCE_TOP, m->top, sizeof m->top);
}

static int status_of(const health *found, int warming)
{
    return warming         ? VCE_WARMUP
           : found->beyond ? VCE_LIMIT
           : found->leaps  ? VCE_RATE
           : found->stuck  ? VCE_STUCK
           : found->absent ? VCE_IMPUTED
                           : VCE_OK_ROW;
}

/* Whether the row is done; if not, nothing has changed. */
static int judge_row(const judging *j, const vce_rows *rows, const vce_columns *to, int64_t row)
{
    const vce_detector *d = j->detector;
    const vce_rules *rules = j->rules;
    vce_numbers *m = j->state.numbers;
    int channels = d->shape.channels;
    int64_t time_ns = rows->time_ns[row];
    const double *from = rows->values + row * channels;
    double threshold = threshold_of(m);
    uint8_t *missing = to->missing + row * channels;
    if (time_ns <= m->last_ns || time_ns - m->last_ns > rules->max_gap_ns ||
        (m->usable_ns >= 0 && time_ns - m->usable_ns > rules->max_gap_ns))
        return 0;
    health found = check(j, time_ns, from, missing);
    if (found.absent == channels)
        return 0;
    find_defects(j, missing, &found);
    if (defects_publish(j, &found))
        return 0;

    vce_record r = vce_record_of(d, j->state.engine);
    int warming = *r.seen < rules->warmup_rows, levels = d->shape.hidden ? d->cell.shape.levels : 1;
    double bias = anomaly_of(j)->open && m->spent_rows < rules->event_rows ? 0.0 : smaller_of(m->balance, 0.0);
    int32_t level;
    memcpy(j->saved, j->state.engine, vce_record_size(d));
    double raw = vce_detector_step(d, j->state.engine, j->step, j->values, j->contributions, &level,
                                   j->policy.min_level, (float)(j->policy.logit_bias + bias));
    if (publishes(j, raw, threshold, warming)) {
        memcpy(j->state.engine, j->saved, vce_record_size(d));
        return 0;
    }
    int32_t updated = d->shape.hidden ? d->cell.boundaries[level - 1] : 0, wake = *r.wake;
    m->seq++, m->last_ns = m->usable_ns = time_ns, m->raw = raw;
    m->doubt_ns = -1, m->doubts = 0;
    if (rules->leaps)
        remember_leaps(j, time_ns, from);
    remember_defects(j, missing, &found);
    memcpy(j->state.contributions, j->contributions, channel_bytes(d));
    if (levels > 1)
        spend(j, updated);
    top_channels(j->contributions, raw, channels, m->top);
    follow_events(j, time_ns, raw, threshold, warming);
    if (rules->shapes)
        follow_shape(j, r.residual, r.lags, anomaly_of(j)->open != 0);
    follow_reason(j, wake);
    int status = status_of(&found, warming);
    write_row(j, to, row, status, updated, wake);
    int few = (double)found.absent / channels <= rules->most_imputed;
    if (m->adapts && (status == VCE_OK_ROW || (status == VCE_IMPUTED && few)))
        learn(j);
    return 1;
}

int64_t vce_judge_rows(const vce_detector *detector, const void *rules, void *record, void *scratch,
                       const vce_rows *rows, int64_t start, int64_t stop, vce_policy policy)
{
    const vce_numbers *m = record;
    if (m->last_ns < 0 || m->waiting < 0 || m->waiting >= VCE_BATCH || !(threshold_of(m) > 0))
        return VCE_BAD_NUMBER;
    judging j = judging_of(detector, rules, record, scratch, policy);
    vce_columns to = columns_of(rows, detector->shape.channels);
    while (start < stop && judge_row(&j, rows, &to, start))
        start++;
    return start;
}
