/* The scorer: from one row's errors to the statistic and what each channel adds to it. Included before detector_step.h.
 *
 * The errors' products are float32 (strict: float64 sums), everything from the squared errors on is float64.
 */
#include "detector_internal.h"
#include "numbers.h"

#define ERROR_CAP 400.0f  /* largest squared error of one channel */
#define LEAST_PART 1e-6 /* smallest value of a part over its usual one */

/* float32 squares to float64, at most the cap; unknown channels are taken to be like the known ones on average. */
static void known(const float *squared, const uint8_t *unknown, int any_unknown, int channels, double *to)
{
    for (int c = 0; c < channels; c++)
        to[c] = (double)(squared[c] > ERROR_CAP ? ERROR_CAP : squared[c]);
    if (!any_unknown)
        return;
    double sum = 0;
    int count = 0;
    for (int c = 0; c < channels; c++)
        if (!unknown[c])
            sum += to[c], count++;
    double mean = sum / (count > 0 ? count : 1);
    for (int c = 0; c < channels; c++)
        if (unknown[c])
            to[c] = mean;
}

static void whitened(const vce_detector *d, vce_work w, int any_unknown)
{
    int channels = d->shape.channels;
    product(d->whiten, channels, channels, w.error, NULL, w.product);
    for (int c = 0; c < channels; c++)
        w.product[c] *= w.product[c];
    known(w.product, w.unknown, any_unknown, channels, w.squared[VCE_PART_ERROR]);
}

/* Of the forecast made `ahead` rows ago, in spreads. */
static void horizon(const vce_detector *d, vce_work w, const float *lags, int any_unknown)
{
    int channels = d->shape.channels;
    const float *from = lags + (size_t)(d->shape.ahead - 1) * (size_t)channels;
    product(d->horizon, channels, d->shape.horizon_order * channels, from, d->horizon_start, w.product);
    for (int c = 0; c < channels; c++) {
        float error = (w.signals[c] - w.product[c] - d->horizon_bias[c]) / d->horizon_spread[c];
        w.product[c] = error * error;
    }
    known(w.product, w.unknown, any_unknown, channels, w.squared[VCE_PART_HORIZON]);
}

/* Of the last rows put together from their components, summed over the lags. */
static void reconstruction(const vce_detector *d, vce_work w, const float *lags, int any_unknown)
{
    int channels = d->shape.channels, window = d->shape.lags * channels;
    for (int i = 0; i < d->shape.lags; i++) {
        const float *row = i == 0 ? w.signals : lags + (size_t)(d->lags[i] - 1) * (size_t)channels;
        for (int c = 0; c < channels; c++)
            w.window[i * channels + c] = row[c] - d->mean[i * channels + c];
    }
    product(d->components, d->shape.components, window, w.window, NULL, w.components);
    product(d->back, window, d->shape.components, w.components, NULL, w.back);
    for (int c = 0; c < channels; c++)
        w.product[c] = 0.0f;
    for (int i = 0; i < d->shape.lags; i++)
        for (int c = 0; c < channels; c++) {
            float left = w.window[i * channels + c] - w.back[i * channels + c];
            w.product[c] += left * left;
        }
    known(w.product, w.unknown, any_unknown, channels, w.squared[VCE_PART_RECONSTRUCTION]);
}

/* Smooth one part with a row's squared errors (NULL: there is none yet); each channel's share into `share`. Returns
 * the shares' sum. */
static double smoothed(double *smooth, const double *row, double alpha, int root, int channels, double *share)
{
    if (row)
        for (int c = 0; c < channels; c++)
            smooth[c] += alpha * (row[c] - smooth[c]);
    double total = 0;
    for (int c = 0; c < channels; c++)
        share[c] = root ? __builtin_sqrt(smooth[c]) : smooth[c];
    for (int c = 0; c < channels; c++)
        total += share[c];
    return total;
}

static double score(const vce_detector *d, vce_record r, vce_work w, int any_unknown, double *contributions)
{
    const vce_detector_shape *s = &d->shape;
    int channels = s->channels, parts = s->parts, has[VCE_PARTS];
    int64_t seen = *r.seen;
    if (seen == 0) /* all is as usual */
        for (int part = 0; part < parts; part++)
            for (int c = 0; c < channels; c++)
                r.smooth[part * channels + c] = d->initial[part];
    if ((has[VCE_PART_ERROR] = seen >= s->order))
        whitened(d, w, any_unknown);
    if ((has[VCE_PART_HORIZON] = seen >= s->horizon_order + s->ahead - 1))
        horizon(d, w, r.lags, any_unknown);
    if ((has[VCE_PART_RECONSTRUCTION] = seen >= d->lags[s->lags - 1]))
        reconstruction(d, w, r.lags, any_unknown);

    for (int c = 0; c < channels; c++)
        contributions[c] = 0;
    double fused = 0, whole = 0;
    for (int part = 0; part < parts; part++) {
        int kind = d->kinds[part];
        double total = smoothed(r.smooth + part * channels, has[kind] ? w.squared[kind] : NULL, d->alpha[part],
                                kind != VCE_PART_RECONSTRUCTION, channels, w.spare);
        r.parts[part] = total / channels;
        double factor = total > 0 ? d->weight[part] / total : 0;
        for (int c = 0; c < channels; c++)
            contributions[c] += factor * w.spare[c];
        double relative = r.parts[part] / d->usual[part];
        fused += d->weight[part] * exact_log(relative < LEAST_PART ? LEAST_PART : relative);
    }
    double raw = exact_exp(fused);
    for (int c = 0; c < channels; c++)
        whole += contributions[c];
    for (int c = 0; c < channels; c++)
        contributions[c] = whole > 0 ? contributions[c] * (raw / whole) : raw / channels;
    return raw;
}
