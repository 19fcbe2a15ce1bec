/* Any bytes as a packed model: refused, or safe to run. For libFuzzer (clang -fsanitize=fuzzer -DLIBFUZZER), and with
 * a main of its own that mutates valid models, for gcc's sanitizers: fuzz_open [ROUNDS]. */
#include "cells.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *model = aligned(size ? size : 1); /* exactly as long as it says, so that a read behind it is seen */
    if (size)
        memcpy(model, data, size);
    vce_cell cell;
    if (vce_open(&cell, model, size) == VCE_OK) {
        void *state = aligned(vce_state_size(&cell)), *scratch = aligned(vce_scratch_size(&cell, 1));
        size_t signals = (size_t)cell.shape.signals;
        float *x = numbers(signals, 1.0f), *y = aligned(4 * (size_t)cell.shape.outputs + 4);
        for (int level = 1; level <= cell.shape.levels && level < 9; level++)
            vce_step(&cell, state, scratch, x, y, level, 0.0f);
        free(state), free(scratch), free(x), free(y);
    }
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

int main(int count, char **arguments)
{
    long rounds = count > 1 ? atol(arguments[1]) : 20000, opened = 0;
    static const vce_shape shapes[] = {{3, 2, 3, 9, 3, 3}, {1, 1, 1, 5, 0, 1}};
    for (long round = 0; round < rounds; round++) {
        int isa = (int)roll(VCE_ISAS);
        if (!vce_isa_available(isa))
            continue;
        size_t size;
        uint8_t *model = packed_cell(shapes + roll(2), isa, &size);
        for (size_t changes = roll(4); changes > 0; changes--) {
            size_t at = roll(3) ? roll(160) : roll(size); /* mostly the header and the tables behind it */
            model[at] = roll(2) ? (uint8_t)roll(256) : (uint8_t)(model[at] + roll(3) - 1);
        }
        if (roll(8) == 0)
            size = roll(size + 1);
        vce_cell cell;
        opened += vce_open(&cell, model, size) == VCE_OK;
        LLVMFuzzerTestOneInput(model, size);
        free(model);
    }
    printf("%ld rounds, %ld models opened and stepped\n", rounds, opened);
    return opened == 0;
}
#endif
