/* NEON on 64-bit ARM with the dot product, int8 weights. */
#include "internal.h"

#if VCE_ARM64
#if defined __clang__
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#define VCE_USE_NEON
#define VCE_DOT
#include "isa/simd.inc"
#include "cell/dot.inc"
#include "cell/int8.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"

const struct vce_ops vce_ops_neon_dot_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
