/* The steps of training/unroll.h in double, to check gradients: the same code with vectors of one number. */
#include "internal.h"
#include "exact_math.h"

#define VCE_INLINE static inline
#define VCE_UNROLL_DOUBLE
typedef double real;
typedef double vf;
enum { W = 1 };
#define vf_set(x) ((double)(x))
#define vf_load(p) (*(p))
#define vf_store(p, v) (*(p) = (v))
#define vf_load_part(p, n) ((void)(n), *(p))
#define vf_store_part(p, v, n) ((void)(n), *(p) = (v))
#define vf_fma(a, b, c) ((a) * (b) + (c))
#define vf_sum(v) (v)
static double vf_sigmoid(double x) { return 1.0 / (1.0 + exact_exp(-x)); }
static double vf_tanh(double x) { return 1.0 - 2.0 / (1.0 + exact_exp(x + x)); }
#include "training/unroll_step.inc"

const struct vce_unroll_ops vce_unroll_strict = {unroll_forward, unroll_backward};
