/* AVX-512: 16 floats, 32 registers. */
#include "internal.h"

#if VCE_X86
#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma")
#endif
#define VCE_USE_AVX512
#include "isa/simd.inc"
#include "cell/cell.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"
#include "training/unroll_step.inc"

const struct vce_ops vce_ops_avx512 = {W, 0, 0, step, step_many, detect, probe_read, probe_fma};
const struct vce_unroll_ops vce_unroll_avx512 = {unroll_forward, unroll_backward};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
