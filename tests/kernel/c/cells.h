/* Random cells for the C tests: the same numbers on every machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vcedge.h"

static uint64_t seed = 1;

static float noise(void) /* -1 to 1, from the top bits of a linear congruence */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(seed >> 32) / 2147483648.0f;
}

static float *numbers(size_t n, float scale)
{
    float *to = malloc(sizeof(float) * (n + 1));
    for (size_t i = 0; i < n; i++)
        to[i] = scale * noise();
    return to;
}

static void *aligned(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, VCE_ALIGN, bytes))
        abort();
    return memset(memory, 0, bytes);
}

/* A packed model of random weights for an instruction set; the caller frees it. */
static void *packed_cell(const vce_shape *s, int isa, size_t *size)
{
    size_t D = (size_t)s->hidden, G = (size_t)s->gates, L = (size_t)s->levels;
    int32_t *boundaries = malloc(4 * L);
    double *thresholds = malloc(8 * L);
    for (size_t i = 0; i < L; i++) {
        boundaries[i] = (int32_t)(D * (i + 1) / L);
        thresholds[i] = 0.5 * (double)i - 0.5;
    }
    seed = 7;
    float scale = 1.0f;
    while (scale * scale * (float)D > 3.0f)
        scale *= 0.5f;
    vce_weights w = {boundaries, thresholds, numbers(G * D * D, scale), numbers(G * D * (size_t)s->inputs, 0.7f),
                     numbers(G * D, 0.3f), numbers(D, 0.3f), numbers(D, 2 * scale), numbers((size_t)s->signals, 0.7f),
                     numbers((size_t)s->outputs * D, scale), numbers((size_t)s->outputs, 0.1f), 0.1f};
    *size = vce_model_size(s, isa);
    void *model = aligned(*size);
    int error = vce_pack(s, &w, isa, model, *size);
    if (error) {
        fprintf(stderr, "pack: %s\n", vce_error_text(error));
        abort();
    }
    free(boundaries), free(thresholds);
    const float *parts[] = {w.recurrent,   w.input,      w.bias, w.reset_bias,
                            w.gate_hidden, w.gate_input, w.head, w.head_bias};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        free((void *)(uintptr_t)parts[i]);
    return model;
}
