/* Pointers into the detector's record and scratch. */
#ifndef VCE_DETECTOR_INTERNAL_H
#define VCE_DETECTOR_INTERNAL_H

#include "detector/detector.h"
#include "internal.h"

#define POINTER(constant, type, field, items) type *field;
typedef struct vce_record {
    VCE_RECORD_FIELDS(POINTER)
} vce_record;
#undef POINTER

static inline vce_record vce_record_of(const vce_detector *d, void *record)
{
#define POINT(constant, type, field, items) .field = (type *)(void *)((char *)record + d->record[constant]),
    return (vce_record){VCE_RECORD_FIELDS(POINT)};
#undef POINT
}

/* Where one step puts its intermediate values. */
typedef struct vce_scratch {
    void *cell;              /* the cell's scratch */
    double *amount, *rarity; /* (C, TRACKS) each channel's part of an amount, and of a rarity */
    float *squares;          /* (KINDS, C) a row's squared errors */
    float *signals;          /* (S) the standardised sample first */
    float *error;            /* (C) */
    float *product;          /* (C) */
    float *window;           /* (K C) */
    float *back;             /* (K C) */
    float *components;       /* (M) */
    float *scaled;           /* (C) the sample as distances are measured */
    float *distances;        /* (centroids) */
    uint8_t *missing;        /* (C) */
    char *end;
} vce_scratch;

/* The pieces of `scratch`; with a null pointer `end` is the size. */
static inline vce_scratch vce_scratch_of(const vce_detector *d, void *scratch)
{
    size_t channels = (size_t)d->shape.channels, window = channels * (size_t)d->shape.lags;
    size_t cell = d->shape.hidden ? vce_scratch_size(&d->cell, 1) : 0;
    uintptr_t at = (uintptr_t)scratch;
    vce_scratch s;
#define TAKE(type, items) ((at += (items) * sizeof(type)), (type *)(void *)(at - (items) * sizeof(type)))
    s.cell = (void *)at;
    at += vce_aligned(cell);
    s.amount = TAKE(double, channels *VCE_TRACKS);
    s.rarity = TAKE(double, channels *VCE_TRACKS);
    s.squares = TAKE(float, channels *VCE_KINDS);
    s.signals = TAKE(float, 5 * channels);
    s.error = TAKE(float, channels);
    s.product = TAKE(float, channels);
    s.window = TAKE(float, window);
    s.back = TAKE(float, window);
    s.components = TAKE(float, (size_t)d->shape.components);
    s.scaled = TAKE(float, channels);
    s.distances = TAKE(float, (size_t)d->shape.centroids);
    s.missing = TAKE(uint8_t, channels);
    s.end = (char *)at;
#undef TAKE
    return s;
}

#endif
