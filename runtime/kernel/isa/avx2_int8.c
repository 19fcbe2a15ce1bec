/* AVX2, int8 weights. */
#include "internal.h"

#if VCE_X86
#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VCE_USE_AVX2
#include "isa/simd.inc"
#include "cell/dot.inc"
#include "cell/int8.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"

const struct vce_ops vce_ops_avx2_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
