/* Any bytes as a packed model, of a cell or of a detector: refused, or safe to run. For libFuzzer (clang
 * -fsanitize=fuzzer -DLIBFUZZER), and with a main of its own that mutates valid models, for gcc's sanitizers:
 * fuzz_open [ROUNDS]. */
#include "detectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step_cell(const vce_cell *cell)
{
    void *state = aligned(vce_state_size(cell)), *scratch = aligned(vce_scratch_size(cell, 1));
    size_t signals = (size_t)cell->shape.signals;
    float *x = numbers(signals, 1.0f), *y = aligned(4 * (size_t)cell->shape.outputs + 4);
    for (int level = 1; level <= cell->shape.levels && level < 9; level++)
        vce_step(cell, state, scratch, x, y, level, 0.0f);
    free(state), free(scratch), free(x), free(y);
}

static void step_detector(const vce_detector *detector)
{
    size_t channels = (size_t)detector->shape.channels;
    void *record = aligned(vce_record_size(detector)), *scratch = aligned(vce_detector_scratch_size(detector));
    double *values = aligned(8 * channels), *contributions = aligned(8 * channels);
    for (int t = 0; t < 6; t++) {
        int32_t level;
        for (size_t c = 0; c < channels; c++)
            values[c] = (double)noise() + ((t == 3 && c == 0) ? 1e300 * 1e300 : 0.0);
        vce_detector_step(detector, record, scratch, values, contributions, &level, t, 0.0f);
    }
    free(record), free(scratch), free(values), free(contributions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *model = aligned(size ? size : 1); /* exactly as long as it says, so that a read behind it is seen */
    if (size)
        memcpy(model, data, size);
    vce_cell cell;
    vce_detector detector;
    if (vce_open(&cell, model, size) == VCE_OK)
        step_cell(&cell);
    else if (vce_detector_open(&detector, model, size) == VCE_OK)
        step_detector(&detector);
    free(model);
    return 0;
}

#ifndef LIBFUZZER
static uint64_t dice = 3;

static size_t roll(size_t n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % n;
}

static int opens(const uint8_t *model, size_t size)
{
    vce_cell cell;
    vce_detector detector;
    return vce_open(&cell, model, size) == VCE_OK || vce_detector_open(&detector, model, size) == VCE_OK;
}

int main(int count, char **arguments)
{
    long rounds = count > 1 ? atol(arguments[1]) : 20000, opened = 0;
    static const vce_shape shapes[] = {{3, 2, 3, 9, 3, 3}, {1, 1, 1, 5, 0, 1}};
    static const vce_detector_shape detectors[] = {{3, 2, 2, 3, 3, 2, 5, 1, 2, 2, 3, 5, 9, 1, 3, 0},
                                                    {2, 1, 1, 1, 1, 1, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0}};
    for (long round = 0; round < rounds; round++) {
        int isa = (int)roll(VCE_ISAS);
        if (!vce_isa_available(isa))
            continue;
        size_t size, whole = roll(2);
        uint8_t *model = whole ? packed_detector(detectors + roll(2), isa, &size) : packed_cell(shapes + roll(2), isa, &size);
        for (size_t changes = roll(4); changes > 0; changes--) {
            size_t at = roll(3) ? roll(whole ? 1024 : 160) : roll(size); /* mostly the header and the tables behind it */
            model[at] = roll(2) ? (uint8_t)roll(256) : (uint8_t)(model[at] + roll(3) - 1);
        }
        if (roll(8) == 0)
            size = roll(size + 1);
        opened += opens(model, size);
        LLVMFuzzerTestOneInput(model, size);
        free(model);
    }
    printf("%ld rounds, %ld models opened and stepped\n", rounds, opened);
    return opened == 0;
}
#endif
