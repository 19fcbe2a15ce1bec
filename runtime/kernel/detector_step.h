/* One step of the whole detector: runtime/numpy_engine.py in C. Included by each isa_*.c after step.h, and by strict.c:
 * needs their `dot`, `product` and `step`. */
#include "scorer.h"

/* Standardise, clip, hold what is missing; returns whether a channel is unknown: missing, now or one sample ago. */
static int standardise(const vce_detector *d, vce_record r, vce_work w, const double *values)
{
    int channels = d->shape.channels, any = 0;
    double clip = d->clip;
    for (int c = 0; c < channels; c++) {
        double wide = (values[c] - d->center[c]) / d->scale[c];
        w.signals[c] = (float)(wide < -clip ? -clip : wide > clip ? clip : wide);
        w.missing[c] = !(values[c] - values[c] == 0);
    }
    for (int c = 0; c < channels; c++) {
        w.unknown[c] = w.missing[c] | (r.held[c] != 0);
        any |= w.unknown[c];
    }
    if (any)
        for (int c = 0; c < channels; c++)
            if (w.missing[c])
                w.signals[c] = r.lags[c];
    return any;
}

/* The forecast's residual in spreads into the record, and the smaller error of it and the network; 0 where unknown. */
static void errors(const vce_detector *d, vce_record r, vce_work w, int any_unknown)
{
    int channels = d->shape.channels;
    if (*r.seen < d->shape.order) {
        for (int c = 0; c < channels; c++)
            r.residual[c] = w.error[c] = 0.0f;
        return;
    }
    for (int c = 0; c < channels; c++)
        r.residual[c] = w.error[c] = (w.signals[c] - r.forecast[c] - d->bias[c]) / d->spread[c];
    if (d->shape.hidden)
        for (int c = 0; c < channels; c++) {
            float plain = r.residual[c], corrected = plain - r.correction[c];
            float size = plain < 0 ? -plain : plain, other = corrected < 0 ? -corrected : corrected;
            w.error[c] = (other < size ? corrected : plain) / d->error_scale[c];
        }
    if (any_unknown)
        for (int c = 0; c < channels; c++)
            if (w.unknown[c])
                r.residual[c] = w.error[c] = 0.0f;
}

/* The cell's inputs, then what a gate linear in signed signals cannot see: size, change and forecast error. */
static void fill_signals(const vce_detector *d, vce_record r, vce_work w)
{
    int channels = d->shape.channels;
    const float *z = w.signals, *previous = *r.seen ? r.lags : z;
    float clip = (float)d->clip, *to = w.signals + channels;
    if (d->shape.flags)
        for (int c = 0; c < channels; c++)
            *to++ = (float)w.missing[c];
    for (int c = 0; c < channels; c++) {
        float size = z[c] < 0 ? -z[c] : z[c], moved = z[c] - previous[c];
        float change = (moved < 0 ? -moved : moved) / d->change_scale[c];
        float error = r.residual[c] < 0 ? -r.residual[c] : r.residual[c];
        to[c] = size;
        to[channels + c] = change > clip ? clip : change;
        to[2 * channels + c] = error > clip ? clip : error;
    }
}

/* Whether this is one of the first ticks of a surprise. One that lasts has its ticks once; it is over when as many ticks
 * passed without one. */
static int surprised(const vce_detector *d, vce_record r, const float *error)
{
    double sum = 0;
    for (int c = 0; c < d->shape.channels; c++) {
        float squared = error[c] * error[c];
        sum += (double)(squared > ERROR_CAP ? ERROR_CAP : squared);
    }
    int32_t forced = *r.forced;
    if (sum / d->shape.channels > d->surprise_limit) {
        if (*r.calm == 0)
            forced = d->shape.surprise_ticks;
        *r.calm = d->shape.surprise_ticks;
    } else if (*r.calm > 0)
        *r.calm -= 1;
    *r.forced = forced > 0 ? forced - 1 : 0;
    return forced > 0;
}

/* Which of the scheduler's inputs speaks loudest for waking. */
static int32_t loudest(const vce_cell *cell, const float *signals, float memory)
{
    int32_t best = 0;
    float most = cell->gate_input[0] * signals[0];
    for (int32_t i = 1; i < cell->shape.signals; i++) {
        float term = cell->gate_input[i] * signals[i];
        if (term > most)
            most = term, best = i;
    }
    return most >= memory ? best : VCE_WAKE_MEMORY;
}

/* Pick the level, update h, leave the next correction in the record: the head's output, as its weights are shrunk.
 *
 * The head follows the changes of h, anew every VCE_REFRESH samples since the reset. u.h is not in the record, so it is
 * computed at each step: what a stream does next depends on its record alone. */
static int32_t update_cell(const vce_detector *d, vce_record r, vce_work w, int min_level, float logit_bias)
{
    const vce_cell *cell = &d->cell;
    int levels = cell->shape.levels, floor = min_level < 1 ? 1 : min_level > levels ? levels : min_level, forced = 0;
    float memory = 0.0f;
    uint32_t fresh = *r.seen % VCE_REFRESH != 0;
    if (levels > 1) {
        fill_signals(d, r, w);
        forced = surprised(d, r, w.error);
        memory = dot(cell->gate_hidden, r.h, cell->shape.hidden);
    } else if (d->shape.flags)
        for (int c = 0; c < d->shape.channels; c++)
            w.signals[d->shape.channels + c] = (float)w.missing[c];
    float recall = memory;
    int32_t level = step(cell, (vce_memory){r.h, r.correction, &recall, &fresh}, w.cell, w.signals,
                         forced ? levels : floor, logit_bias);
    *r.level = level;
    *r.wake = level <= floor ? VCE_WAKE_NONE : forced ? VCE_WAKE_SURPRISE : loudest(cell, w.signals, memory);
    return level;
}

static double detect(const vce_detector *d, void *record, void *scratch, const double *values, double *contributions,
                     int32_t *level, int min_level, float logit_bias)
{
    vce_record r = vce_record_of(d, record);
    vce_work w = vce_work_of(d, scratch);
    size_t row = (size_t)d->shape.channels * sizeof(float);
    int any_unknown = standardise(d, r, w, values);
    errors(d, r, w, any_unknown);
    double raw = score(d, r, w, any_unknown, contributions);
    *level = d->shape.hidden ? update_cell(d, r, w, min_level, logit_bias) : 1;

    memmove(r.lags + d->shape.channels, r.lags, (size_t)(d->shape.depth - 1) * row);
    memcpy(r.lags, w.signals, row);
    memcpy(r.held, w.missing, (size_t)d->shape.channels);
    *r.seen = (int64_t)((uint64_t)*r.seen + 1);
    product(d->forecast, d->shape.channels, d->shape.order * d->shape.channels, r.lags, d->start, r.forecast);
    return raw;
}
