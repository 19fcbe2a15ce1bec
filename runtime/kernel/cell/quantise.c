/* Packs recurrent weights as int8: a scale for each row, and row sums where the CPU multiplies unsigned by signed. */
#include "internal.h"

static float row_scale(const float *row, int64_t n)
{
    float largest = 0;
    for (int64_t j = 0; j < n; j++) {
        float size = row[j] < 0 ? -row[j] : row[j];
        largest = size > largest ? size : largest;
    }
    return largest / 127.0f;
}

static int8_t rounded(float weight, float scale)
{
    float scaled = scale > 0 ? weight / scale : 0;
    scaled = scaled > 127 ? 127 : scaled < -127 ? -127 : scaled;
    return (int8_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
}

void vce_pack_int8(const vce_shape *s, const vce_weights *w, const struct vce_ops *ops, unsigned char *base,
                   const vce_sections *at)
{
    int64_t D = s->hidden, width = ops->width, group = ops->group, gates = s->gates, padded = vce_padded(D, ops->width);
    float *scales = (float *)(void *)(base + at->scales);
    int32_t *offsets = (int32_t *)(void *)(base + at->offsets);
    int8_t *panels = (int8_t *)(base + at->int8_panels);
    int64_t stride = (int64_t)vce_int8_stride(s, ops);
    for (int64_t g = 0; g < gates; g++)
        for (int64_t row = 0; row < D; row++) {
            const float *from = w->recurrent + (g * D + row) * D;
            int64_t panel = row / width, lane = row % width, at_row = (panel * gates + g) * width + lane;
            float scale = scales[at_row] = row_scale(from, D);
            int8_t *to = panels + panel * stride + (g * width + lane) * group;
            for (int64_t j = 0; j < D; j++)
                to[j / group * group * gates * width + j % group] = rounded(from[j], scale);
            for (int32_t level = 0; ops->offset && level < s->levels; level++) {
                int32_t sum = 0;
                int64_t columns =
                    vce_padded(s->hidden < w->boundaries[level] ? s->hidden : w->boundaries[level], ops->group);
                for (int64_t j = 0; j < columns && j < D; j++)
                    sum += rounded(from[j], scale);
                offsets[level * padded * gates + at_row] = -128 * sum;
            }
        }
}
