/* Any CPU: 4 floats by the compiler's vector extension. */
#include "internal.h"

#define VCE_USE_PORTABLE
#include "isa/simd.inc"
#include "cell/cell.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"
#include "training/unroll_step.inc"

const struct vce_ops vce_ops_portable = {W, 0, 0, step, step_many, detect, probe_read, probe_fma};
const struct vce_unroll_ops vce_unroll_portable = {unroll_forward, unroll_backward};
