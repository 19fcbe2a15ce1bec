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
#include "simd.h"
#include "dot.h"
#include "int8.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"

const struct vce_ops vce_ops_neon_dot_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};

#if defined __clang__
#pragma clang attribute pop
#endif
#endif
