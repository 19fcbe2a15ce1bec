/* Any CPU, int8 weights. */
#include "internal.h"

#define VCE_USE_PORTABLE
#include "isa/simd.inc"
#include "cell/dot.inc"
#include "cell/int8.inc"
#include "cell/kept.inc"
#include "cell/step.inc"
#include "detector/step.inc"
#include "cell/probe.inc"

const struct vce_ops vce_ops_portable_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};
