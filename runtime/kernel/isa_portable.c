/* Any CPU: 4 floats by the compiler's vector extension. */
#include "internal.h"

#define VCE_USE_PORTABLE
#include "simd.h"
#include "cell.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"
#include "unroll_step.h"

const struct vce_ops vce_ops_portable = {W, 0, 0, step, step_many, detect, probe_read, probe_fma};
const struct vce_unroll_ops vce_unroll_portable = {unroll_forward, unroll_backward};
