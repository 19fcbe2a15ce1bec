/* Which instruction set serves, and the public calls. */
#include "internal.h"

#include <string.h>

static const char *const names[VCE_ISAS] = {"strict", "portable", "avx2", "avx512", "neon"};

const char *vce_isa_name(int isa) { return isa >= 0 && isa < VCE_ISAS ? names[isa] : ""; }

int vce_isa_available(int isa)
{
    switch (isa) {
    case VCE_STRICT:
    case VCE_PORTABLE:
        return 1;
#if VCE_X86
    case VCE_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case VCE_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#endif
#if VCE_ARM64
    case VCE_NEON:
        return 1;
#endif
    default:
        return 0;
    }
}

int vce_isa_best(void)
{
    static const int fastest_first[] = {VCE_AVX512, VCE_AVX2, VCE_NEON};
    for (size_t i = 0; i < sizeof fastest_first / sizeof *fastest_first; i++)
        if (vce_isa_available(fastest_first[i]))
            return fastest_first[i];
    return VCE_PORTABLE;
}

const struct vce_ops *vce_ops_of(int isa)
{
    if (!vce_isa_available(isa))
        return NULL;
    switch (isa) {
#if VCE_X86
    case VCE_AVX2:
        return &vce_ops_avx2;
    case VCE_AVX512:
        return &vce_ops_avx512;
#endif
#if VCE_ARM64
    case VCE_NEON:
        return &vce_ops_neon;
#endif
    case VCE_PORTABLE:
        return &vce_ops_portable;
    default:
        return &vce_ops_strict;
    }
}

const char *vce_error_text(int error)
{
    switch (error) {
    case VCE_OK:
        return "no error";
    case VCE_BAD_SHAPE:
        return "a dimension out of range, or level boundaries that do not increase to the hidden size";
    case VCE_BAD_NUMBER:
        return "a weight or threshold that is not finite, or thresholds that decrease";
    case VCE_BAD_ISA:
        return "an instruction set that this build or this CPU has not";
    case VCE_BAD_MODEL:
        return "not a packed model of this version and byte order";
    case VCE_BAD_LENGTH:
        return "fewer bytes than the shape needs";
    case VCE_BAD_ALIGNMENT:
        return "memory not aligned to 64 bytes";
    default:
        return "unknown error";
    }
}

size_t vce_state_size(const vce_cell *cell)
{
    return sizeof(float) * ((size_t)cell->shape.hidden + (size_t)cell->shape.outputs + 2);
}

size_t vce_scratch_size(const vce_cell *cell, int32_t streams)
{
    /* up to 4 streams' new values, the streams' order, where each level ends */
    return 4 * (4 * (size_t)cell->padded + (size_t)(streams > 0 ? streams : 0) + (size_t)cell->shape.levels);
}

int vce_step(const vce_cell *cell, void *state, void *scratch, const float *x, float *y, int min_level,
             float logit_bias)
{
    vce_memory memory = vce_memory_of(cell, state);
    int level = cell->ops->step(cell, memory, scratch, x, min_level, logit_bias);
    if (y)
        memcpy(y, memory.y, sizeof(float) * (size_t)cell->shape.outputs);
    return level;
}

void vce_run(const vce_cell *cell, void *state, void *scratch, int64_t rows, const float *x, float *y, int32_t *levels,
             int min_level, float logit_bias)
{
    for (int64_t row = 0; row < rows; row++) {
        int level = vce_step(cell, state, scratch, x, y, min_level, logit_bias);
        x += cell->shape.signals;
        if (y)
            y += cell->shape.outputs;
        if (levels)
            levels[row] = level;
    }
}

void vce_step_many(const vce_cell *cell, int32_t streams, void *states, size_t stride, void *scratch, const float *x,
                   float *y, int32_t *levels, int min_level, float logit_bias)
{
    cell->ops->step_many(cell, streams, states, stride, scratch, x, y, levels, min_level, logit_bias);
}

float vce_probe_read(int isa, const void *memory, size_t bytes, int64_t times)
{
    const struct vce_ops *ops = vce_ops_of(isa);
    return ops ? ops->probe_read(memory, bytes, times) : 0.0f;
}

float vce_probe_fma(int isa, int64_t times)
{
    const struct vce_ops *ops = vce_ops_of(isa);
    return ops ? ops->probe_fma(times) : 0.0f;
}

int vce_width(int isa)
{
    const struct vce_ops *ops = vce_ops_of(isa);
    return ops ? ops->width : 0;
}
