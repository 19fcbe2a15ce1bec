/* NEON on 64-bit ARM without the dot product, int8 weights. */
#include "internal.h"

#if VCE_ARM64
#define VCE_USE_NEON
#include "isa/simd.inc"
#include "cell/dot.inc"
#include "cell/int8.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"

const struct vce_ops vce_ops_neon_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};
#endif
