/* vcedge: one step of a recurrent cell that updates only the first k of its D dimensions.
 *
 * C99 without allocation, locks or mutable globals; depends on libc's memcpy alone. Any number of threads may use one
 * cell at once, each with its own state and scratch.
 *
 * The caller owns all memory:
 *   model    packed weights, written by vce_pack for one instruction set; VCE_ALIGN-aligned, vce_model_size bytes;
 *            read-only afterwards. It holds no pointers, so it may be copied or mapped, on the same kind of CPU.
 *   cell     a vce_cell, filled by vce_open with pointers into the model: valid while the model stays in place.
 *   state    of one stream: vce_state_size bytes, 4-aligned. All zero: a new stream.
 *   scratch  vce_scratch_size bytes, VCE_ALIGN-aligned; holds nothing between two calls; one for each thread.
 * None may overlap. vce_open checks all sizes; the steps trust their arguments.
 *
 * Kinds (gates in the order z, r, n; k of the level that the scheduler picked):
 *   gates 3  z = s(V_z x + U_z h + b_z)   r = s(V_r x + U_r h + b_r)   n = tanh(V_n x + b_n + r (U_n h + q))
 *            h[:k] = z n + (1 - z) h[:k]      GRU with the reset gate after the product
 *   gates 1  h[:k] = tanh(V x + U h + b)      Elman's network
 * Both read and write h[:k] alone. With one level, k = D, it is the plain cell.
 *   scheduler  logit = u.h + v.x + c; the level is 1 + the number of thresholds <= logit
 *   head       y = W h + b
 */
#ifndef VCEDGE_H
#define VCEDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VCE_ALIGN 64
#define VCE_MAX_SIZE 65536 /* of each dimension */

/* Errors; vce_error_text describes them. */
enum vce_error {
    VCE_OK = 0,
    VCE_BAD_SHAPE = -1,     /* a dimension out of range, or boundaries that do not increase to D */
    VCE_BAD_NUMBER = -2,    /* a weight or threshold that is not finite, or thresholds that decrease */
    VCE_BAD_ISA = -3,       /* an instruction set that this build or this CPU lacks */
    VCE_BAD_MODEL = -4,     /* not a packed model, or one of another version or byte order */
    VCE_BAD_LENGTH = -5,    /* fewer bytes than the shape needs */
    VCE_BAD_ALIGNMENT = -6, /* memory not aligned to VCE_ALIGN */
};

/* Instruction sets. STRICT: float64 sums in a fixed order, the same bits on every CPU; slow, a reference. INT8:
 * recurrent weights rounded to 8 bits with a scale for each row, h rounded at each step; all else stays float32. */
enum vce_isa {
    VCE_STRICT,
    VCE_PORTABLE,
    VCE_AVX2,
    VCE_AVX512,
    VCE_NEON,
    VCE_PORTABLE_INT8,
    VCE_AVX2_INT8,
    VCE_AVX512_INT8,
    VCE_NEON_INT8,
    VCE_NEON_DOT_INT8,
    VCE_ISAS
};

typedef struct vce_shape {
    int32_t gates;   /* 3: GRU, 1: Elman */
    int32_t inputs;  /* N >= 0, of the cell */
    int32_t signals; /* S >= N, of the scheduler: the inputs of a step, the cell's first */
    int32_t hidden;  /* D >= 1 */
    int32_t outputs; /* C >= 0, of the head */
    int32_t levels;  /* L, 1 to D */
} vce_shape;

/* Weights as the model file has them: row-major float32, gates z, r, n. They are copied. */
typedef struct vce_weights {
    const int32_t *boundaries; /* (L) dimensions k that each level updates, increasing to D */
    const double *thresholds;  /* (L-1) logits of level 2, 3, ... */
    const float *recurrent;    /* (gates, D, D) U */
    const float *input;        /* (gates, D, N) V */
    const float *bias;         /* (gates, D) b */
    const float *reset_bias;   /* (D) q; not read with one gate */
    const float *gate_hidden;  /* (D) u */
    const float *gate_input;   /* (S) v */
    const float *head;         /* (C, D) W */
    const float *head_bias;    /* (C) */
    float gate_bias;           /* c */
} vce_weights;

/* An open model. Its fields are private to the kernel. */
typedef struct vce_cell {
    const struct vce_ops *ops;
    const int32_t *boundaries;
    const double *thresholds;
    const float *gate_input, *gate_hidden, *bias, *panels, *head_bias, *head, *scales;
    const int32_t *offsets;
    const int8_t *int8_panels;
    size_t panel_stride, int8_stride;
    float gate_bias;
    int32_t padded; /* D rounded up to the SIMD width */
    vce_shape shape;
} vce_cell;

/* Whether the instruction set is compiled in and the CPU has it; the fastest such one for float32 or int8 weights. */
int vce_isa_available(int isa);
int vce_isa_best(int int8);
const char *vce_isa_name(int isa);     /* static text; "" if unknown */
const char *vce_error_text(int error); /* static text */

/* Return the bytes of a packed model; 0 if the shape or the instruction set is not possible. */
size_t vce_model_size(const vce_shape *shape, int isa);

/* Pack weights into `model` of `size` bytes. Return VCE_OK or an error. */
int vce_pack(const vce_shape *shape, const vce_weights *weights, int isa, void *model, size_t size);

/* Check a packed model of arbitrary bytes and point `cell` into it. Return VCE_OK or an error. */
int vce_open(vce_cell *cell, const void *model, size_t size);

/* Bytes of one stream's state, and of the scratch for calls with up to `streams` streams (1 for step and run). */
size_t vce_state_size(const vce_cell *cell);
size_t vce_scratch_size(const vce_cell *cell, int32_t streams);

/* A state is floats: h (D), y (C), and two private words. Zero the last word after changing h. */

/* Run one step: x (S) in, y (C) out or NULL. `min_level` is a floor under the level, `logit_bias` is added to the
 * scheduler's logit. Return the level, 1 to L. */
int vce_step(const vce_cell *cell, void *state, void *scratch, const float *x, float *y, int min_level,
             float logit_bias);

/* Run `rows` steps of one stream, equal to as many vce_step: x (rows, S), y (rows, C) or NULL, levels (rows) or NULL.
 */
void vce_run(const vce_cell *cell, void *state, void *scratch, int64_t rows, const float *x, float *y, int32_t *levels,
             int min_level, float logit_bias);

/* Run one step of each of `streams` streams, grouped by level: states (streams, stride bytes), x (streams, S),
 * y (streams, C) or NULL, levels (streams). Results equal those of vce_step bit for bit. */
void vce_step_many(const vce_cell *cell, int32_t streams, void *states, size_t stride, void *scratch, const float *x,
                   float *y, int32_t *levels, int min_level, float logit_bias);

/* Measure the CPU's limits, to compare a step's time with: read `bytes` (VCE_ALIGN-aligned, a multiple of 1024) `times`
 * over, or do `times` * 64 multiply-adds of full vectors in registers. Return a sum, so that the compiler cannot drop
 * the work; vce_width is the floats of a vector. */
float vce_probe_read(int isa, const void *memory, size_t bytes, int64_t times);
float vce_probe_fma(int isa, int64_t times);
int vce_width(int isa);

#ifdef __cplusplus
}
#endif
#endif
