/* Random detectors for the C tests. */
#include "cells.h"
#include "detector/detector.h"

/* Offsets of the record's fields for a shape, one after the other, each 8-aligned; the last one is its size. */
static void record_layout(const vce_detector_shape *s, int32_t *record)
{
    const int32_t c = s->channels, depth = s->depth, hidden = s->hidden, blocks = s->cycle_blocks;
    const int32_t cycle_c = blocks ? 2 * c : 0;
#define FIELD_BYTES(constant, type, field, items) (int32_t)sizeof(type) * (items),
    const int32_t bytes[VCE_FIELDS] = {VCE_RECORD_FIELDS(FIELD_BYTES)};
#undef FIELD_BYTES
    record[0] = 0;
    for (int i = 0; i < VCE_FIELDS; i++)
        record[i + 1] = record[i] + (bytes[i] + 7) / 8 * 8;
}

/* A packed detector of random weights around a random cell where it has one; the caller frees it. */
static void *packed_detector(const vce_detector_shape *s, int isa, size_t *size)
{
    size_t cell_size = 0;
    int32_t inputs = s->channels * (s->flags ? 2 : 1);
    vce_shape cell_shape = {3, inputs, inputs + 3 * s->channels, s->hidden, s->channels, s->hidden > 3 ? 3 : 1};
    void *cell = s->hidden ? packed_cell(&cell_shape, isa, &cell_size) : NULL, *sections[VCE_SECTIONS];
    seed = 11;
    for (int i = 0; i < VCE_SECTIONS; i++) {
        size_t items = (size_t)vce_section_items(s, i);
        sections[i] = aligned(8 * items + 8);
        for (size_t j = 0; j < items; j++)
            if (vce_section_format(i) == 'd')
                ((double *)sections[i])[j] = (i == VCE_ALPHA ? 0.15 : 1.0) + 0.1 * (double)noise();
            else if (vce_section_format(i) == 'f')
                ((float *)sections[i])[j] = i < VCE_FORECAST ? 1.0f : 0.3f * noise();
            else
                ((int32_t *)sections[i])[j] = (int32_t)j;
    }
    record_layout(s, sections[VCE_RECORD]);
    *size = vce_detector_size(s, isa, cell_size);
    void *model = aligned(*size);
    int error = vce_detector_pack(s, (const void *const *)sections, 10.0, 5.0, cell, cell_size, isa, model, *size);
    if (error) {
        fprintf(stderr, "pack: %s\n", vce_error_text(error));
        abort();
    }
    for (int i = 0; i < VCE_SECTIONS; i++)
        free(sections[i]);
    free(cell);
    return model;
}
