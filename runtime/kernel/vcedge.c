/* Selects the instruction set, and implements the public calls. */
#include "detector/detector_internal.h"

#include <string.h>
#if VCE_ARM64 && defined __linux__
#include <sys/auxv.h>
#endif

static const struct {
    const char *name;
    const struct vce_ops *ops;
} table[VCE_ISAS] = {
    [VCE_STRICT] = {"strict", &vce_ops_strict},
    [VCE_PORTABLE] = {"portable", &vce_ops_portable},
    [VCE_PORTABLE_INT8] = {"portable-int8", &vce_ops_portable_int8},
#if VCE_X86
    [VCE_AVX2] = {"avx2", &vce_ops_avx2},
    [VCE_AVX2_INT8] = {"avx2-int8", &vce_ops_avx2_int8},
    [VCE_AVX512] = {"avx512", &vce_ops_avx512},
    [VCE_AVX512_INT8] = {"avx512-int8", &vce_ops_avx512_int8},
#elif VCE_ARM64
    [VCE_NEON] = {"neon", &vce_ops_neon},
    [VCE_NEON_INT8] = {"neon-int8", &vce_ops_neon_int8},
    [VCE_NEON_DOT_INT8] = {"neon-dot-int8", &vce_ops_neon_dot_int8},
#endif
};

const char *vce_isa_name(int isa) { return isa >= 0 && isa < VCE_ISAS && table[isa].name ? table[isa].name : ""; }

#if VCE_X86
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
#endif

static int on_this_cpu(int isa)
{
    switch (isa) {
#if VCE_X86
    case VCE_AVX2:
    case VCE_AVX2_INT8:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case VCE_AVX512:
        return has_avx512();
    case VCE_AVX512_INT8:
        return has_avx512() && __builtin_cpu_supports("avx512vnni");
#elif VCE_ARM64 && defined __linux__
    case VCE_NEON_DOT_INT8:
        return (getauxval(AT_HWCAP) & (1ul << 20)) != 0; /* HWCAP_ASIMDDP */
#elif VCE_ARM64
    case VCE_NEON_DOT_INT8:
        return 0;
#endif
    default:
        return 1;
    }
}

int vce_isa_available(int isa) { return isa >= 0 && isa < VCE_ISAS && table[isa].ops && on_this_cpu(isa); }

const struct vce_ops *vce_ops_of(int isa) { return vce_isa_available(isa) ? table[isa].ops : NULL; }

int vce_isa_best(int int8)
{
    static const int fastest_first[2][3] = {{VCE_AVX512, VCE_AVX2, VCE_NEON},
                                            {VCE_AVX512_INT8, VCE_AVX2_INT8, VCE_NEON_DOT_INT8}};
    for (int i = 0; i < 3; i++)
        if (vce_isa_available(fastest_first[int8 != 0][i]))
            return fastest_first[int8 != 0][i];
    if (int8)
        return vce_isa_available(VCE_NEON_INT8) ? VCE_NEON_INT8 : VCE_PORTABLE_INT8;
    return VCE_PORTABLE;
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
    /* new values and quantised ones of the streams computed together, the streams' order, where each level ends */
    return VCE_STREAMS * (4 * (size_t)cell->padded + vce_spare_size(cell)) +
           4 * ((size_t)(streams > 0 ? streams : 0) + (size_t)cell->shape.levels);
}

int vce_step(const vce_cell *cell, void *state, void *scratch, const float *x, float *y, int min_level,
             float logit_bias)
{
    vce_cell_state s = vce_cell_state_of(cell, state);
    int level = cell->ops->step(cell, s, scratch, x, min_level, logit_bias);
    if (y)
        memcpy(y, s.y, sizeof(float) * (size_t)cell->shape.outputs);
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

size_t vce_record_size(const vce_detector *d) { return (size_t)d->record[VCE_FIELDS]; }
size_t vce_detector_scratch_size(const vce_detector *d) { return (size_t)(uintptr_t)vce_scratch_of(d, NULL).end; }

double vce_detector_step(const vce_detector *d, void *record, void *scratch, const double *values,
                         double *contributions, int32_t *level, int min_level, float logit_bias)
{
    return d->ops->detect(d, record, scratch, values, contributions, level, min_level, logit_bias);
}

void vce_detector_run(const vce_detector *d, void *record, void *scratch, int64_t rows, const double *values,
                      double *raw, int32_t *levels, int32_t *wakes, double *contributions, int min_level,
                      float logit_bias)
{
    const int32_t *wake = vce_record_of(d, record).wake;
    for (int64_t row = 0; row < rows; row++, values += d->shape.channels, contributions += d->shape.channels) {
        raw[row] = d->ops->detect(d, record, scratch, values, contributions, levels + row, min_level, logit_bias);
        wakes[row] = *wake;
    }
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
