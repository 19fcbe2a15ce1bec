/* The shape of what is going on, as vcedge/resemblance.py follows it: the same operations in the same order. */
#include <math.h>
#include <string.h>

#include "judge.h"

static double limited(double x, double largest) { return x < -largest ? -largest : x > largest ? largest : x; }

/* What one row says of each channel: (VCE_STATISTICS, C). */
static void row_statistics(const vce_judge *j, const double *residual, const double *z, double *to)
{
    const vce_rules *rules = j->rules;
    int channels = j->detector->shape.channels;
    const double *before = residual - channels, *z_before = z - channels;
    for (int c = 0; c < channels; c++) {
        double r = limited(residual[c], rules->largest), squared = r * r, moved = z[c] - z_before[c];
        double change = moved / j->change_scale[c];
        change = change * change;
        to[c] = r;
        to[channels + c] = squared;
        to[2 * channels + c] = squared * squared;
        to[3 * channels + c] = r * limited(before[c], rules->largest);
        to[4 * channels + c] = change > rules->largest ? rules->largest : change;
        to[5 * channels + c] = z[c];
        to[6 * channels + c] = moved == 0.0;
        to[7 * channels + c] = squared > rules->large * rules->large;
    }
}

/* Take the rows that wait into the means; `statistics` is room for one row's. */
static void digest(const vce_judge *j, double *statistics)
{
    int channels = j->detector->shape.channels, items = VCE_STATISTICS * channels;
    int64_t count = j->memory->waiting;
    for (int span = 0; span < VCE_SPANS; span++)
        for (int i = 0; i < items; i++)
            j->means[span * items + i] *= j->keeps[span * (VCE_BATCH + 1) + count];
    for (int64_t row = 1; row <= count; row++) {
        row_statistics(j, j->residual + row * channels, j->z + row * channels, statistics);
        for (int span = 0; span < VCE_SPANS; span++) {
            double weight = j->weights[span * VCE_BATCH + (VCE_BATCH - count) + row - 1], *mean = j->means + span * items;
            for (int i = 0; i < items; i++)
                mean[i] += weight * statistics[i];
        }
    }
    memcpy(j->residual, j->residual + count * channels, sizeof(double) * (size_t)channels);
    memcpy(j->z, j->z + count * channels, sizeof(double) * (size_t)channels);
    j->memory->waiting = 0;
}

/* Add the features of the leading channel to their sum; `share` is room for (C). */
static void add_shape(const vce_judge *j, double *share)
{
    const vce_rules *rules = j->rules;
    int channels = j->detector->shape.channels, lead = 0;
    const double *fast = j->means, *slow = fast + VCE_STATISTICS * channels;
    double energy = 0, squares = 0, tiny = rules->tiny, f[VCE_STATISTICS], s[VCE_STATISTICS];
    for (int c = 0; c < channels; c++) {
        share[c] = fast[channels + c] + slow[channels + c];
        energy = c ? energy + share[c] : share[0];
        lead = share[c] > share[lead] ? c : lead;
    }
    for (int c = 0; c < channels; c++) {
        share[c] = share[c] / (tiny > energy ? tiny : energy);
        squares = c ? squares + share[c] * share[c] : share[0] * share[0];
    }
    for (int i = 0; i < VCE_STATISTICS; i++)
        f[i] = fast[i * channels + lead], s[i] = slow[i * channels + lead];
    const double features[VCE_FEATURES] = {
        fabs(s[0]) / sqrt(s[1] + tiny),
        fabs(f[0]) / sqrt(f[1] + tiny),
        s[3] / (s[1] + tiny),
        f[3] / (f[1] + tiny),
        log((f[1] + tiny) / (s[1] + tiny)),
        log((s[2] + tiny) / (s[1] * s[1] + tiny)),
        log(s[4] + rules->least_change),
        log(f[4] + rules->least_change),
        s[6],
        f[6],
        s[7],
        log(fabs(s[5]) + rules->least_level),
        share[lead],
        -log(squares + tiny),
    };
    for (int i = 0; i < VCE_FEATURES; i++)
        j->sum[i] += features[i];
}

/* One row after the engine's step; `room` for VCE_STATISTICS times C. */
static void follow_shape(const vce_judge *j, const float *residual, const float *z, int in_event, double *room)
{
    vce_stream *m = j->memory;
    int channels = j->detector->shape.channels;
    int64_t at = ++m->waiting * channels;
    for (int c = 0; c < channels; c++) {
        j->residual[at + c] = (double)residual[c];
        j->z[at + c] = (double)z[c];
    }
    if (in_event) {
        digest(j, room);
        add_shape(j, room);
        m->shape_rows++;
        return;
    }
    if (m->waiting == VCE_BATCH)
        digest(j, room);
    if (m->shape_rows)
        memset(j->sum, 0, sizeof(double) * VCE_FEATURES);
    m->shape_rows = 0;
}
