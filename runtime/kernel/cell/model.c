/* The packed model: its sizes, its packing, its checking. */
#include "internal.h"

#include <string.h>

int vce_shape_ok(const vce_shape *s)
{
    return (s->gates == 1 || s->gates == 3) && s->inputs >= 0 && s->inputs <= VCE_MAX_SIZE && s->signals >= s->inputs &&
           s->signals <= VCE_MAX_SIZE && s->hidden >= 1 && s->hidden <= VCE_MAX_SIZE && s->outputs >= 0 &&
           s->outputs <= VCE_MAX_SIZE && s->levels >= 1 && s->levels <= s->hidden;
}

static uint64_t take(uint64_t *end, uint64_t bytes)
{
    uint64_t start = *end;
    *end = (start + bytes + VCE_ALIGN - 1) / VCE_ALIGN * VCE_ALIGN;
    return start;
}

/* No overflow: with sizes up to VCE_MAX_SIZE the largest section has 2^16 * 2^17 * 3 * 4 bytes. */
vce_sections vce_layout(const vce_shape *s, const struct vce_ops *ops)
{
    int width = ops->width;
    uint64_t hidden = (uint64_t)vce_padded(s->hidden, width), outputs = (uint64_t)vce_padded(s->outputs, width);
    uint64_t columns = (uint64_t)s->inputs + (ops->group ? 0 : (uint64_t)s->hidden), gates = (uint64_t)s->gates;
    uint64_t end = VCE_ALIGN * ((sizeof(vce_header) + VCE_ALIGN - 1) / VCE_ALIGN);
    vce_sections at;
    at.boundaries = take(&end, 4 * (uint64_t)s->levels);
    at.thresholds = take(&end, 8 * ((uint64_t)s->levels - 1));
    at.gate_input = take(&end, 4 * (uint64_t)s->signals);
    at.gate_hidden = take(&end, 4 * hidden);
    at.bias = take(&end, 4 * hidden * (gates + (gates == 3)));
    at.panels = take(&end, 4 * hidden * columns * gates);
    at.head_bias = take(&end, 4 * outputs);
    at.head = take(&end, 4 * outputs * (uint64_t)s->hidden);
    at.scales = take(&end, ops->group ? 4 * hidden * gates : 0);
    at.offsets = take(&end, ops->offset ? 4 * (uint64_t)s->levels * hidden * gates : 0);
    at.whole = take(&end, hidden / (uint64_t)width * vce_whole_stride(s, ops));
    at.bytes = end;
    return at;
}

uint64_t vce_whole_stride(const vce_shape *s, const struct vce_ops *ops)
{
    return ops->group ? (uint64_t)(vce_padded(s->hidden, ops->group) * s->gates * ops->width) : 0;
}

size_t vce_model_size(const vce_shape *shape, int isa)
{
    const struct vce_ops *ops = vce_ops_of(isa);
    if (!ops || !vce_shape_ok(shape))
        return 0;
    uint64_t bytes = vce_layout(shape, ops).bytes;
    return bytes > SIZE_MAX / 2 ? 0 : (size_t)bytes;
}

static int levels_ok(const vce_shape *s, const int32_t *boundaries, const double *thresholds)
{
    for (int32_t i = 0; i < s->levels; i++)
        if (boundaries[i] < 1 || (i > 0 && boundaries[i] <= boundaries[i - 1]))
            return VCE_BAD_SHAPE;
    if (boundaries[s->levels - 1] != s->hidden)
        return VCE_BAD_SHAPE;
    for (int32_t i = 0; i + 1 < s->levels; i++)
        if (!(thresholds[i] - thresholds[i] == 0) || (i > 0 && thresholds[i] < thresholds[i - 1]))
            return VCE_BAD_NUMBER;
    return VCE_OK;
}

static int all_finite(const float *values, uint64_t n)
{
    int ok = 1;
    for (uint64_t i = 0; i < n; i++)
        ok &= values[i] - values[i] == 0;
    return ok;
}

static int weights_finite(const vce_shape *s, const vce_weights *w)
{
    uint64_t hidden = (uint64_t)s->hidden, rows = hidden * (uint64_t)s->gates, outputs = (uint64_t)s->outputs;
    return all_finite(w->recurrent, rows * hidden) && all_finite(w->input, rows * (uint64_t)s->inputs) &&
           all_finite(w->bias, rows) && (s->gates == 1 || all_finite(w->reset_bias, hidden)) &&
           all_finite(w->gate_hidden, hidden) && all_finite(w->gate_input, (uint64_t)s->signals) &&
           all_finite(w->head, outputs * hidden) && all_finite(w->head_bias, outputs) && all_finite(&w->gate_bias, 1);
}

/* Rows of `width` at a time, gates beside each other: each panel that a level uses is read from its start. */
static void pack_panels(const vce_shape *s, const vce_weights *w, int width, int64_t recurrent, float *bias,
                        float *panels)
{
    int64_t D = s->hidden, N = s->inputs;
    int biases = s->gates + (s->gates == 3);
    for (int64_t first = 0; first < D; first += width)
        for (int64_t row = first; row < first + width && row < D; row++) {
            int64_t lane = row - first;
            for (int g = 0; g < s->gates; g++) {
                int64_t source = g * D + row;
                bias[(first * biases + g * width) + lane] = w->bias[source];
                float *to = panels + first * (N + recurrent) * s->gates + g * width + lane;
                for (int64_t j = 0; j < N; j++)
                    to[j * s->gates * width] = w->input[source * N + j];
                for (int64_t j = 0; j < recurrent; j++)
                    to[(N + j) * s->gates * width] = w->recurrent[source * D + j];
            }
            if (s->gates == 3)
                bias[first * biases + 3 * width + lane] = w->reset_bias[row];
        }
}

static void pack_head(const vce_shape *s, const vce_weights *w, int width, float *bias, float *head)
{
    for (int64_t row = 0; row < s->outputs; row++) {
        bias[row] = w->head_bias[row];
        for (int64_t j = 0; j < s->hidden; j++)
            head[(row / width * s->hidden + j) * width + row % width] = w->head[row * s->hidden + j];
    }
}

int vce_pack(const vce_shape *shape, const vce_weights *w, int isa, void *model, size_t size)
{
    const struct vce_ops *ops = vce_ops_of(isa);
    if (!ops)
        return VCE_BAD_ISA;
    size_t needed = vce_model_size(shape, isa);
    if (!needed)
        return VCE_BAD_SHAPE;
    if (size < needed)
        return VCE_BAD_LENGTH;
    if ((uintptr_t)model % VCE_ALIGN)
        return VCE_BAD_ALIGNMENT;
    int bad = levels_ok(shape, w->boundaries, w->thresholds);
    if (bad)
        return bad;
    if (!weights_finite(shape, w))
        return VCE_BAD_NUMBER;

    vce_sections at = vce_layout(shape, ops);
    unsigned char *base = model;
    memset(model, 0, needed);
    vce_header header = {.magic = VCE_MAGIC, .version = VCE_VERSION, .byte_order = VCE_BYTE_ORDER, .isa = isa};
    header.gate_bias = w->gate_bias;
    header.shape = *shape;
    header.bytes = at.bytes;
    memcpy(base, &header, sizeof header);
    memcpy(base + at.boundaries, w->boundaries, 4 * (size_t)shape->levels);
    if (shape->levels > 1)
        memcpy(base + at.thresholds, w->thresholds, 8 * ((size_t)shape->levels - 1));
    if (shape->signals)
        memcpy(base + at.gate_input, w->gate_input, 4 * (size_t)shape->signals);
    memcpy(base + at.gate_hidden, w->gate_hidden, 4 * (size_t)shape->hidden);
    pack_panels(shape, w, ops->width, ops->group ? 0 : shape->hidden, (float *)(void *)(base + at.bias),
                (float *)(void *)(base + at.panels));
    if (ops->group)
        vce_pack_whole(shape, w, ops, base, &at);
    pack_head(shape, w, ops->width, (float *)(void *)(base + at.head_bias), (float *)(void *)(base + at.head));
    return VCE_OK;
}

int vce_open(vce_cell *cell, const void *model, size_t size)
{
    const unsigned char *base = model;
    vce_header header;
    if (size < sizeof header)
        return VCE_BAD_LENGTH;
    if ((uintptr_t)model % VCE_ALIGN)
        return VCE_BAD_ALIGNMENT;
    memcpy(&header, model, sizeof header);
    if (memcmp(header.magic, VCE_MAGIC, sizeof header.magic) || header.version != VCE_VERSION ||
        header.byte_order != VCE_BYTE_ORDER)
        return VCE_BAD_MODEL;
    const struct vce_ops *ops = vce_ops_of(header.isa);
    if (!ops)
        return VCE_BAD_ISA;
    if (!vce_model_size(&header.shape, header.isa))
        return VCE_BAD_SHAPE;
    vce_sections at = vce_layout(&header.shape, ops);
    if (header.bytes != at.bytes || size < at.bytes)
        return VCE_BAD_LENGTH;

    cell->ops = ops;
    cell->shape = header.shape;
    cell->gate_bias = header.gate_bias;
    cell->padded = (int32_t)vce_padded(header.shape.hidden, ops->width);
    cell->panel_stride = (size_t)(header.shape.inputs + (ops->group ? 0 : header.shape.hidden)) *
                         (size_t)(header.shape.gates * ops->width);
    cell->whole_stride = (size_t)vce_whole_stride(&header.shape, ops);
    cell->boundaries = (const int32_t *)(const void *)(base + at.boundaries);
    cell->thresholds = (const double *)(const void *)(base + at.thresholds);
    cell->gate_input = (const float *)(const void *)(base + at.gate_input);
    cell->gate_hidden = (const float *)(const void *)(base + at.gate_hidden);
    cell->bias = (const float *)(const void *)(base + at.bias);
    cell->panels = (const float *)(const void *)(base + at.panels);
    cell->head_bias = (const float *)(const void *)(base + at.head_bias);
    cell->head = (const float *)(const void *)(base + at.head);
    cell->scales = (const float *)(const void *)(base + at.scales);
    cell->offsets = (const int32_t *)(const void *)(base + at.offsets);
    cell->whole = (const int8_t *)(base + at.whole);
    int bad = levels_ok(&cell->shape, cell->boundaries, cell->thresholds);
    if (bad)
        return bad;
    uint64_t floats = (at.offsets - at.gate_input) / sizeof(float);
    return all_finite(cell->gate_input, floats) && all_finite(&cell->gate_bias, 1) ? VCE_OK : VCE_BAD_NUMBER;
}
