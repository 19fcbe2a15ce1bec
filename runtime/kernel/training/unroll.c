/* Maps an instruction set to its steps for training. */
#include "training/unroll.h"
#include "internal.h"

#include <stddef.h>

extern const struct vce_unroll_ops vce_unroll_strict, vce_unroll_portable, vce_unroll_avx2, vce_unroll_avx512,
    vce_unroll_neon;

const struct vce_unroll_ops *vce_unroll_ops_of(int isa)
{
    if (!vce_isa_available(isa))
        return NULL;
    switch (isa) {
    case VCE_STRICT:
        return &vce_unroll_strict;
    case VCE_PORTABLE:
        return &vce_unroll_portable;
#if VCE_X86
    case VCE_AVX2:
        return &vce_unroll_avx2;
    case VCE_AVX512:
        return &vce_unroll_avx512;
#elif VCE_ARM64
    case VCE_NEON:
        return &vce_unroll_neon;
#endif
    default:
        return NULL;
    }
}
