/* NEON on 64-bit ARM: 4 floats, 32 registers. */
#include "internal.h"

#if VCE_ARM64
#define VCE_USE_NEON
#include "isa/simd.inc"
#include "cell/cell.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"
#include "training/unroll_step.inc"

const struct vce_ops vce_ops_neon = {W, 0, 0, step, step_many, detect, probe_read, probe_fma};
const struct vce_unroll_ops vce_unroll_neon = {unroll_forward, unroll_backward};
#endif
