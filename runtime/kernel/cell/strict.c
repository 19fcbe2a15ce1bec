/* The reference cell: float64 sums in a fixed order without fused multiply-add or libm, so every CPU gives the same
 * bits. Every step computes everything anew. Its packed model has panels of one row. */
#include "internal.h"
#include "exact_math.h"

static double sigmoid(double x) { return 1.0 / (1.0 + exact_exp(-x)); }
static double tangent(double x) { return 1.0 - 2.0 / (1.0 + exact_exp(x + x)); }

static double sum(const float *a, const float *b, int64_t n, int64_t stride)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)a[i * stride] * (double)b[i];
    return total;
}

static float new_value(const vce_cell *cell, int row, int k, const float *h, const float *x)
{
    int gates = cell->shape.gates, n = cell->shape.inputs;
    const float *panel = cell->panels + (size_t)row * cell->panel_stride,
                *bias = cell->bias + row * (gates == 3 ? 4 : 1);
    double from_x[3], from_h[3];
    for (int g = 0; g < gates; g++) {
        from_x[g] = (double)bias[g] + sum(panel + g, x, n, gates);
        from_h[g] = sum(panel + (size_t)n * (size_t)gates + g, h, k, gates);
    }
    if (gates == 1)
        return (float)tangent(from_x[0] + from_h[0]);
    double z = sigmoid(from_x[0] + from_h[0]), r = sigmoid(from_x[1] + from_h[1]);
    double c = tangent(from_x[2] + r * (from_h[2] + (double)bias[3]));
    return (float)(z * c + (1.0 - z) * (double)h[row]);
}

static int pick_level(const vce_cell *cell, vce_cell_state s, const float *x, int min_level, float logit_bias)
{
    int levels = cell->shape.levels, level = 1, floor = min_level < levels ? min_level : levels;
    double logit = sum(cell->gate_hidden, s.h, cell->shape.hidden, 1) +
                   sum(cell->gate_input, x, cell->shape.signals, 1) + (double)cell->gate_bias + (double)logit_bias;
    for (int i = 0; i + 1 < levels; i++)
        level += !(logit < cell->thresholds[i]);
    return level < floor ? floor : level;
}

static int step(const vce_cell *cell, vce_cell_state s, void *scratch, const float *x, int min_level, float logit_bias)
{
    float *next = scratch;
    int level = pick_level(cell, s, x, min_level, logit_bias), D = cell->shape.hidden;
    int k = cell->boundaries[level - 1];
    for (int row = 0; row < k; row++)
        next[row] = new_value(cell, row, k, s.h, x);
    memcpy(s.h, next, sizeof(float) * (size_t)k);
    for (int row = 0; row < cell->shape.outputs; row++)
        s.y[row] = (float)((double)cell->head_bias[row] + sum(cell->head + (size_t)row * (size_t)D, s.h, D, 1));
    return level;
}

static void step_many(const vce_cell *cell, int32_t streams, void *states, size_t stride, void *scratch, const float *x,
                      float *y, int32_t *levels, int min_level, float logit_bias)
{
    size_t signals = (size_t)cell->shape.signals, outputs = (size_t)cell->shape.outputs;
    for (size_t i = 0; i < (size_t)streams; i++) {
        vce_cell_state s = vce_cell_state_of(cell, (char *)states + i * stride);
        levels[i] = step(cell, s, scratch, x + i * signals, min_level, logit_bias);
        if (y)
            memcpy(y + i * outputs, s.y, sizeof(float) * outputs);
    }
}

static float dot(const float *a, const float *b, int n) { return (float)sum(a, b, n, 1); }

static void product(const float *rows, int outputs, int inputs, const float *x, const float *start, float *y)
{
    for (int i = 0; i < outputs; i++)
        y[i] = (float)((start ? (double)start[i] : 0.0) + sum(rows + (size_t)i * (size_t)inputs, x, inputs, 1));
}

static void distances(const float *rows, int outputs, int inputs, const float *x, float *y)
{
    for (int i = 0; i < outputs; i++) {
        double total = 0;
        for (int j = 0; j < inputs; j++) {
            double gap = (double)x[j] - (double)rows[i * inputs + j];
            total += gap * gap;
        }
        y[i] = (float)total;
    }
}

#include "detector/step.inc"

static float probe_read(const void *memory, size_t bytes, int64_t times)
{
    (void)memory, (void)bytes, (void)times;
    return 0.0f;
}

static float probe_fma(int64_t times) { return probe_read(NULL, 0, times); }

const struct vce_ops vce_ops_strict = {1, 0, 0, step, step_many, detect, probe_read, probe_fma};
