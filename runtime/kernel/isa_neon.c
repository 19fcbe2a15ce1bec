/* NEON on 64-bit ARM: 4 floats, 32 registers. */
#include "internal.h"

#if VCE_ARM64
#define VCE_USE_NEON
#include "simd.h"
#include "cell.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"
#include "unroll_step.h"

const struct vce_ops vce_ops_neon = {W, 0, 0, step, step_many, detect, probe_read, probe_fma};
const struct vce_unroll_ops vce_unroll_neon = {unroll_forward, unroll_backward};
#endif
