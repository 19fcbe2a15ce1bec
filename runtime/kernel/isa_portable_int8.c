/* Any CPU, int8 weights. */
#include "internal.h"

#define VCE_USE_PORTABLE
#include "simd.h"
#include "dot.h"
#include "int8.h"
#include "kept.h"
#include "step.h"
#include "detector_step.h"
#include "probe.h"

const struct vce_ops vce_ops_portable_int8 = {W, GROUP, OFFSET, step, step_many, detect, probe_read, probe_fma};
