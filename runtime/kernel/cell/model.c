/* Lays out, packs and checks the packed cell. */
#include "internal.h"

#include <string.h>

int vce_shape_ok(const vce_shape *s)
{
    return (s->gates == 1 || s->gates == 3) && s->inputs >= 0 && s->inputs <= VCE_MAX_SIZE && s->signals >= s->inputs &&
           s->signals <= VCE_MAX_SIZE && s->hidden >= 1 && s->hidden <= VCE_MAX_SIZE && s->outputs >= 0 &&
           s->outputs <= VCE_MAX_SIZE && s->levels >= 1 && s->levels <= s->hidden;
}

/* No overflow: with sizes up to VCE_MAX_SIZE the largest section has 2^16 * 2^17 * 3 * 4 bytes. */
vce_sections vce_layout(const vce_shape *s, const struct vce_ops *ops)
{
    const uint64_t L = (uint64_t)s->levels, S = (uint64_t)s->signals, N = (uint64_t)s->inputs, D = (uint64_t)s->hidden;
    const uint64_t G = (uint64_t)s->gates, W = (uint64_t)ops->width, P = (uint64_t)vce_padded(s->hidden, ops->width);
    const uint64_t C = (uint64_t)vce_padded(s->outputs, ops->width), INT8_STRIDE = vce_int8_stride(s, ops);
    const int INT8 = ops->group != 0, OFFSET = ops->offset;
    uint64_t end = vce_aligned(sizeof(vce_header));
    vce_sections at;
#define RESERVE(type, field, items) at.field = vce_reserve(&end, sizeof(type) * (items));
    VCE_CELL_SECTIONS(RESERVE)
#undef RESERVE
    at.bytes = end;
    return at;
}

uint64_t vce_int8_stride(const vce_shape *s, const struct vce_ops *ops)
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

static int weights_finite(const vce_shape *s, const vce_weights *w)
{
    uint64_t hidden = (uint64_t)s->hidden, rows = hidden * (uint64_t)s->gates, outputs = (uint64_t)s->outputs;
    return vce_floats_finite(w->recurrent, rows * hidden) && vce_floats_finite(w->input, rows * (uint64_t)s->inputs) &&
           vce_floats_finite(w->bias, rows) && (s->gates == 1 || vce_floats_finite(w->reset_bias, hidden)) &&
           vce_floats_finite(w->gate_hidden, hidden) && vce_floats_finite(w->gate_input, (uint64_t)s->signals) &&
           vce_floats_finite(w->head, outputs * hidden) && vce_floats_finite(w->head_bias, outputs) &&
           vce_floats_finite(&w->gate_bias, 1);
}

/* Pack `width` rows at a time with their gates side by side, so that a level reads each of its panels from the start.
 */
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
        vce_pack_int8(shape, w, ops, base, &at);
    if (shape->outputs)
        memcpy(base + at.head_bias, w->head_bias, 4 * (size_t)shape->outputs);
    vce_pack_matrix(w->head, shape->outputs, shape->hidden, ops->width, (float *)(void *)(base + at.head));
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
    cell->int8_stride = (size_t)vce_int8_stride(&header.shape, ops);
#define POINT(type, field, items) cell->field = (const type *)(const void *)(base + at.field);
    VCE_CELL_SECTIONS(POINT)
#undef POINT
    int bad = levels_ok(&cell->shape, cell->boundaries, cell->thresholds);
    if (bad)
        return bad;
    uint64_t floats = (at.offsets - at.gate_input) / sizeof(float);
    return vce_floats_finite(cell->gate_input, floats) && vce_floats_finite(&cell->gate_bias, 1) ? VCE_OK
                                                                                                 : VCE_BAD_NUMBER;
}
