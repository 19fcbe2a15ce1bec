/* Every instruction set of this CPU beside the strict one, 10,000 steps of each kind of cell and of detectors; step_many
 * beside step. Prints the bits of the strict run, which every machine must give. Exit code 1 where something differs. */
#include "detectors.h"

enum { STEPS = 10000, STREAMS = 11 };
static const float tolerance = 1e-5f, int8_tolerance = 0.1f; /* the rounding of random weights, in closed loop */
static const double detector_tolerance = 1e-5; /* nats */
static const uint64_t expected_bits = 0xdfcc32da6584171eu; /* of the strict runs */

static const vce_shape shapes[] = {
    {3, 16, 16, 64, 16, 8}, {3, 5, 9, 40, 7, 8}, {3, 3, 3, 19, 1, 1}, {1, 6, 11, 48, 5, 4}, {1, 1, 1, 7, 0, 7},
    {3, 0, 2, 33, 18, 3},
};

/* With distance and cycle, a network, and channels that are no sensors. */
static const vce_detector_shape detectors[] = {
    {8, 5, 5, 3, 3, 8, 32, 3, 8, 8, 8, 7, 24, 0, 3, 0}, {5, 2, 2, 3, 3, 4, 7, 1, 6, 4, 5, 7, 0, 0, 3, 0},
    {3, 1, 1, 5, 2, 2, 0, 0, 0, 3, 3, 5, 0, 0, 0, 0},
};

static uint64_t mixed(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return hash;
}

/* The largest difference of h or y from the strict run over all steps; the levels are the strict run's. */
static float compare(const vce_shape *s, int isa, uint64_t *hash, int *levels_differ)
{
    size_t size, strict_size, D = (size_t)s->hidden, C = (size_t)s->outputs;
    void *model = packed_cell(s, isa, &size), *strict_model = packed_cell(s, VCE_STRICT, &strict_size);
    vce_cell cell, strict;
    if (vce_open(&cell, model, size) || vce_open(&strict, strict_model, strict_size))
        abort();
    float *state = aligned(vce_state_size(&cell)), *other = aligned(vce_state_size(&strict));
    void *scratch = aligned(vce_scratch_size(&cell, 1)), *strict_scratch = aligned(vce_scratch_size(&strict, 1));
    float *x = malloc(4 * (size_t)s->signals + 4), *y = malloc(4 * C + 4), *z = malloc(4 * C + 4), worst = 0;
    seed = 99;
    for (size_t i = 0; i < D; i++)
        state[i] = other[i] = noise();
    for (int t = 0; t < STEPS; t++) {
        for (int32_t i = 0; i < s->signals; i++)
            x[i] = 2 * noise();
        int level = vce_step(&strict, other, strict_scratch, x, z, 1, 0.0f);
        float *copy = aligned(vce_state_size(&cell)); /* the scheduler's own choice, on a copy */
        memcpy(copy, state, vce_state_size(&cell));
        *levels_differ += vce_step(&cell, copy, scratch, x, y, 1, 0.0f) != level;
        free(copy);
        vce_step(&cell, state, scratch, x, y, level, -1e30f);
        for (size_t i = 0; i < D + C; i++) {
            float gap = i < D ? state[i] - other[i] : y[i - D] - z[i - D];
            gap = gap < 0 ? -gap : gap;
            worst = gap <= worst ? worst : gap; /* a NaN counts */
        }
    }
    *hash = mixed(*hash, other, 4 * D);
    free(model), free(strict_model), free(state), free(other), free(scratch), free(strict_scratch);
    free(x), free(y), free(z);
    return worst;
}

static void open_detector(const vce_detector_shape *s, int isa, vce_detector *d, void **model, void **record,
                          void **scratch)
{
    size_t size;
    *model = packed_detector(s, isa, &size);
    if (vce_detector_open(d, *model, size))
        abort();
    *record = aligned(vce_record_size(d)), *scratch = aligned(vce_detector_scratch_size(d));
}

/* The largest difference of the statistic or a contribution from the strict run, in nats; values have holes. */
static double compare_detector(const vce_detector_shape *s, int isa, uint64_t *hash)
{
    vce_detector d, strict;
    void *model, *record, *scratch, *strict_model, *strict_record, *strict_scratch;
    size_t C = (size_t)s->channels;
    double *values = malloc(8 * C), *found = malloc(8 * (C + 1)), *wanted = malloc(8 * (C + 1)), worst = 0;
    open_detector(s, isa, &d, &model, &record, &scratch);
    open_detector(s, VCE_STRICT, &strict, &strict_model, &strict_record, &strict_scratch);
    seed = 7;
    for (int t = 0; t < STEPS; t++) {
        int32_t level;
        for (size_t c = 0; c < C; c++)
            values[c] = t % 17 == 0 && c == (size_t)t % C ? 0.0 / 0.0 : 1.0 + 0.5 * (double)noise();
        found[C] = vce_detector_step(&d, record, scratch, values, found, &level, s->hidden, 0.0f);
        wanted[C] = vce_detector_step(&strict, strict_record, strict_scratch, values, wanted, &level, s->hidden, 0.0f);
        for (size_t i = 0; i <= C; i++) {
            double gap = found[i] > wanted[i] ? found[i] - wanted[i] : wanted[i] - found[i];
            worst = gap <= worst ? worst : gap; /* a NaN counts */
        }
        *hash = mixed(*hash, wanted, 8 * (C + 1));
    }
    free(model), free(record), free(scratch), free(strict_model), free(strict_record), free(strict_scratch);
    free(values), free(found), free(wanted);
    return worst;
}

static int many_differ(const vce_shape *s, int isa)
{
    size_t size, S = (size_t)s->signals, C = (size_t)s->outputs;
    void *model = packed_cell(s, isa, &size);
    vce_cell cell;
    if (vce_open(&cell, model, size))
        abort();
    size_t stride = vce_state_size(&cell);
    char *many = aligned(STREAMS * stride), *single = aligned(STREAMS * stride);
    void *scratch = aligned(vce_scratch_size(&cell, STREAMS));
    float *x = malloc(4 * S * STREAMS + 4), *y = malloc(4 * C * STREAMS + 4);
    int32_t levels[STREAMS];
    int differ = 0;
    seed = 5;
    for (int t = 0; t < 300; t++) {
        for (size_t i = 0; i < S * STREAMS; i++)
            x[i] = 2 * noise();
        vce_step_many(&cell, STREAMS, many, stride, scratch, x, y, levels, 1, 0.0f);
        for (size_t i = 0; i < STREAMS; i++)
            differ |= levels[i] != vce_step(&cell, single + i * stride, scratch, x + i * S, NULL, 1, 0.0f);
        differ |= memcmp(many, single, STREAMS * stride) != 0;
    }
    free(model), free(many), free(single), free(scratch), free(x), free(y);
    return differ;
}

int main(void)
{
    int failed = 0;
    uint64_t bits = 0;
    for (int isa = 0; isa < VCE_ISAS; isa++) {
        if (!vce_isa_available(isa))
            continue;
        float worst = 0;
        int levels = 0, differ = 0;
        uint64_t hash = 14695981039346656037u;
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            float gap = compare(shapes + i, isa, &hash, &levels);
            worst = gap <= worst ? worst : gap;
            differ |= many_differ(shapes + i, isa);
        }
        double nats = 0;
        for (size_t i = 0; i < sizeof detectors / sizeof *detectors; i++) {
            double gap = compare_detector(detectors + i, isa, &hash);
            nats = gap <= nats ? nats : gap;
        }
        printf("%-13s largest difference %.1e, levels that differ %d, step_many %s; statistic %.1e\n",
               vce_isa_name(isa), (double)worst, levels, differ ? "DIFFERS" : "equal", nats);
        int int8 = strstr(vce_isa_name(isa), "int8") != NULL;
        failed |= !(worst <= (int8 ? int8_tolerance : tolerance)) || (!int8 && levels > 3) || differ ||
                  !(int8 || nats <= detector_tolerance);
        bits = hash;
    }
    printf("strict bits %016llx, expected %016llx\n", (unsigned long long)bits, (unsigned long long)expected_bits);
    return failed || bits != expected_bits;
}
