/* A row's decisions, in the order of Stream.push. */
#include "detector/detector_internal.h"
#include "stream/sensors.inc"
#include "stream/shape.inc"

static size_t rounded(size_t bytes) { return (bytes + VCE_ALIGN - 1) / VCE_ALIGN * VCE_ALIGN; }

static size_t channel_bytes(const vce_detector *d) { return sizeof(double) * (size_t)d->shape.channels; }

size_t vce_judge_scratch_size(const vce_detector *d)
{
    return rounded(vce_detector_scratch_size(d)) + rounded(vce_record_size(d)) + (2 + VCE_STATISTICS) * channel_bytes(d) +
           2 * (size_t)d->shape.channels;
}

static work pieces(const vce_detector *d, char *scratch)
{
    char *saved = scratch + rounded(vce_detector_scratch_size(d)), *values = saved + rounded(vce_record_size(d));
    char *contributions = values + channel_bytes(d), *room = contributions + channel_bytes(d);
    uint8_t *beyond = (uint8_t *)room + VCE_STATISTICS * channel_bytes(d);
    return (work){scratch, saved, (double *)(void *)values, (double *)(void *)contributions, (double *)(void *)room,
                  beyond, beyond + d->shape.channels};
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

/* What the tracker of anomalies would publish. */
static int publishes(const vce_judge *j, double raw, double threshold, int warming)
{
    const vce_rules *rules = j->rules;
    const vce_stream *m = j->memory;
    if (!m->open)
        return !warming && raw > threshold && m->above + 1 >= rules->min_rows;
    return raw < rules->release * threshold ? m->below >= rules->hold_rows : raw > rules->growth * m->open_peak;
}

/* The tracker of anomalies after a row that publishes nothing. */
static void follow_events(const vce_judge *j, int64_t time_ns, double raw, double threshold, int warming)
{
    vce_stream *m = j->memory;
    int32_t *event_top = j->tops + VCE_TOP;
    int larger = raw > m->peak;
    if (!m->open) {
        if (warming || !(raw > threshold)) {
            if (m->above)
                m->start_ns = m->above = m->below = 0, m->peak = 0, event_top[0] = event_top[1] = event_top[2] = -1;
            return;
        }
        if (m->above == 0)
            m->start_ns = time_ns, larger = 1;
        m->above++;
    } else if (raw < j->rules->release * threshold) {
        m->below++;
        return;
    } else
        m->below = 0;
    if (larger) {
        m->peak = raw;
        memcpy(event_top, j->tops, sizeof(int32_t) * VCE_TOP);
    }
}

static void follow_reason(const vce_judge *j, int64_t wake)
{
    vce_stream *m = j->memory;
    if (wake != VCE_WAKE_NONE)
        m->reason = wake, m->age = 0;
    else
        m->age++;
    if (!m->open)
        m->why = VCE_WAKE_NONE;
    else if (m->why == VCE_WAKE_NONE && m->age <= j->rules->look_back)
        m->why = m->reason;
}

static double larger_of(double a, double b) { return b > a ? b : a; }
static double smaller_of(double a, double b) { return b < a ? b : a; }

/* A floor that somebody asked for is not the scheduler's, and not counted. */
static void spend(const vce_judge *j, int32_t updated, int min_level)
{
    vce_stream *m = j->memory;
    const vce_rules *rules = j->rules;
    const vce_detector *d = j->detector;
    int levels = d->cell.shape.levels, floor = min_level < 1 ? 1 : min_level > levels ? levels : min_level;
    double share = (double)(updated - d->cell.boundaries[floor - 1] + d->cell.boundaries[0]) / (double)d->shape.hidden;
    m->spent_rows = m->open ? m->spent_rows + 1 : 0;
    double balance = m->balance + rules->rate * (rules->target - share);
    m->balance = smaller_of(larger_of(balance, rules->least_bias), rules->most_saved);
}

static void learn(const vce_judge *j)
{
    vce_stream *m = j->memory;
    const vce_rules *rules = j->rules;
    double gain = rules->gain;
    if (m->learned_rows < rules->settling)
        gain = larger_of(gain, 1.0 / (double)(m->learned_rows + rules->settling_start));
    else if (m->open || m->raw > m->value)
        return;
    m->learned_rows++;
    double deviation = log(larger_of(m->raw, rules->smallest)) - rules->median - m->level;
    m->level += gain * smaller_of(larger_of(deviation, -rules->clip), rules->clip);
    m->level = smaller_of(larger_of(m->level, 0.0), rules->most + rules->slack);
    m->pressure = larger_of(m->pressure - rules->relief, 0.0);
    double level = larger_of(m->level - rules->slack, 0.0);
    m->value = rules->calibrated * exp(smaller_of(level + m->pressure, rules->most));
}

static double score_of(const vce_rules *rules, double raw, double limit)
{
    if (raw <= 0.0)
        return 0.0;
    double power = rules->steepness * (log(limit) - log(raw));
    return 1.0 / (1.0 + exp(smaller_of(larger_of(power, -rules->max_power), rules->max_power)));
}

static void write_row(const vce_judge *j, const vce_rows *rows, int64_t row, int status, int32_t updated, int32_t wake)
{
    const vce_stream *m = j->memory;
    double threshold = j->rules->by_hand ? j->rules->limit : m->value;
    int judged = status != VCE_WARMUP;
    rows->raw[row] = m->raw;
    rows->score[row] = score_of(j->rules, m->raw, threshold);
    rows->threshold[row] = threshold;
    rows->alarm[row] = judged && m->raw > threshold;
    rows->in_event[row] = m->open != 0;
    rows->updated[row] = updated, rows->wake[row] = wake;
    rows->status[row] = (uint8_t)status;
    memcpy(rows->top + row * VCE_TOP, j->tops, sizeof(int32_t) * VCE_TOP);
}

/* Whether the row is done; if not, nothing has changed. */
static int judge_row(const vce_judge *j, work w, const vce_rows *rows, int64_t row, int min_level, double logit_bias)
{
    const vce_detector *d = j->detector;
    const vce_rules *rules = j->rules;
    vce_stream *m = j->memory;
    int channels = d->shape.channels;
    int64_t time_ns = rows->time_ns[row];
    const double *from = rows->values + row * channels;
    double threshold = rules->by_hand ? rules->limit : m->value;
    uint8_t *missing = rows->missing + row * channels;
    if (time_ns <= m->last_ns || time_ns - m->last_ns > rules->max_gap_ns ||
        (m->usable_ns >= 0 && time_ns - m->usable_ns > rules->max_gap_ns))
        return 0;
    health found = check(j, w, time_ns, from, missing);
    if (found.absent == channels)
        return 0;
    find_defects(j, w, missing, &found);
    if (defects_publish(j, &found))
        return 0;

    vce_record r = vce_record_of(d, j->record);
    int warming = *r.seen < rules->warmup_rows, levels = d->shape.hidden ? d->cell.shape.levels : 1;
    double bias = m->open && m->spent_rows < rules->event_rows ? 0.0 : smaller_of(m->balance, 0.0);
    int32_t level;
    memcpy(w.saved, j->record, vce_record_size(d));
    double raw = vce_detector_step(d, j->record, w.detector, w.values, w.contributions, &level, min_level,
                                   (float)(logit_bias + bias));
    if (publishes(j, raw, threshold, warming)) {
        memcpy(j->record, w.saved, vce_record_size(d));
        return 0;
    }
    int32_t updated = d->shape.hidden ? d->cell.boundaries[level - 1] : 0, wake = *r.wake;
    m->seq++, m->last_ns = m->usable_ns = time_ns, m->raw = raw;
    if (rules->leaps)
        remember_leaps(j, w, time_ns, from);
    remember_defects(j, w, missing, &found);
    memcpy(j->contributions, w.contributions, sizeof(double) * (size_t)channels);
    if (levels > 1)
        spend(j, updated, min_level);
    top_channels(w.contributions, raw, channels, j->tops);
    follow_events(j, time_ns, raw, threshold, warming);
    if (rules->shapes)
        follow_shape(j, r.residual, r.lags, m->open != 0, w.room);
    follow_reason(j, wake);
    int status = warming ? VCE_WARMUP : found.beyond ? VCE_LIMIT : found.leaps ? VCE_RATE : found.stuck ? VCE_STUCK
                 : found.absent ? VCE_IMPUTED : VCE_USUAL_ROW;
    write_row(j, rows, row, status, updated, wake);
    int few = (double)found.absent / channels <= rules->most_imputed;
    if (rules->learning && (status == VCE_USUAL_ROW || (status == VCE_IMPUTED && few)))
        learn(j);
    return 1;
}

int64_t vce_judge_rows(const vce_judge *judge, void *scratch, const vce_rows *rows, int64_t start, int64_t stop,
                       int min_level, double logit_bias)
{
    double threshold = judge->rules->by_hand ? judge->rules->limit : judge->memory->value;
    if (judge->memory->last_ns < 0 || judge->memory->waiting < 0 || judge->memory->waiting >= VCE_BATCH || !(threshold > 0))
        return VCE_BAD_NUMBER;
    work w = pieces(judge->detector, scratch);
    while (start < stop && judge_row(judge, w, rows, start, min_level, logit_bias))
        start++;
    return start;
}
