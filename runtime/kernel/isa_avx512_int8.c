/* AVX-512 with VNNI, int8 weights. */
#include "internal.h"

#if VCE_X86
#if defined __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,fma,avx512vnni")
#endif
#define VCE_USE_AVX512
#include "simd.h"
#include "dot.h"
#include "int8.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"

const struct vce_ops vce_ops_avx512_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
