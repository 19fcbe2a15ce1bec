/* NEON on 64-bit ARM without the dot product, int8 weights. */
#include "internal.h"

#if VCE_ARM64
#define VCE_USE_NEON
#include "simd.h"
#include "dot.h"
#include "int8.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"

const struct vce_ops vce_ops_neon_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};
#endif
