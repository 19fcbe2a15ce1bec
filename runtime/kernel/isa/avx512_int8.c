/* AVX-512 with VNNI, int8 weights. */
#include "internal.h"

#if VCE_X86
#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,avx512vnni"))),             \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma,avx512vnni")
#endif
#define VCE_USE_AVX512
#include "isa/simd.inc"
#include "cell/dot.inc"
#include "cell/int8.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"

const struct vce_ops vce_ops_avx512_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
