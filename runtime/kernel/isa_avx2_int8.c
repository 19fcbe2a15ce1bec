/* AVX2, int8 weights. */
#include "internal.h"

#if VCE_X86
#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VCE_USE_AVX2
#include "simd.h"
#include "dot.h"
#include "int8.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"

const struct vce_ops vce_ops_avx2_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
