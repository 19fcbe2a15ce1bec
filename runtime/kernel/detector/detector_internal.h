/* Shared by the detector's files: the record's fields and the scratch, as pointers. */
#ifndef VCE_DETECTOR_INTERNAL_H
#define VCE_DETECTOR_INTERNAL_H

#include "detector/detector.h"
#include "internal.h"

typedef struct vce_record {
    double *smooth, *parts;
    int64_t *seen;
    int32_t *forced, *calm, *wake, *level;
    float *lags, *forecast, *correction, *residual, *h;
    uint8_t *held;
} vce_record;

static inline vce_record vce_record_of(const vce_detector *d, void *record)
{
    char *base = record;
    const int32_t *at = d->record;
#define FIELD(type, field) ((type *)(void *)(base + at[field]))
    return (vce_record){
        FIELD(double, VCE_F_SMOOTH),    FIELD(double, VCE_F_PARTS),     FIELD(int64_t, VCE_F_SEEN),
        FIELD(int32_t, VCE_F_FORCED),   FIELD(int32_t, VCE_F_CALM),     FIELD(int32_t, VCE_F_WAKE),
        FIELD(int32_t, VCE_F_LEVEL),    FIELD(float, VCE_F_LAGS),       FIELD(float, VCE_F_FORECAST),
        FIELD(float, VCE_F_CORRECTION), FIELD(float, VCE_F_RESIDUAL),   FIELD(float, VCE_F_H),
        FIELD(uint8_t, VCE_F_HELD),
    };
#undef FIELD
}

/* What one step needs beside the record. */
typedef struct vce_work {
    void *cell;         /* the cell's scratch */
    double *squared[VCE_PARTS]; /* (C) a row's squared errors of each kind of part */
    double *spare;      /* (C) */
    float *signals;     /* (S) the standardised sample first */
    float *error;       /* (C) */
    float *product;     /* (C) */
    float *window;      /* (K C) */
    float *back;        /* (K C) */
    float *components;  /* (M) */
    uint8_t *missing, *unknown; /* (C) */
    char *end;
} vce_work;

/* `scratch` cut into pieces; with a null pointer `end` tells the size. */
static inline vce_work vce_work_of(const vce_detector *d, void *scratch)
{
    size_t channels = (size_t)d->shape.channels, window = channels * (size_t)d->shape.lags;
    size_t cell = d->shape.hidden ? vce_scratch_size(&d->cell, 1) : 0;
    uintptr_t at = (uintptr_t)scratch;
    vce_work w;
#define TAKE(type, items) ((at += (items) * sizeof(type)), (type *)(void *)(at - (items) * sizeof(type)))
    w.cell = (void *)at;
    at += (cell + VCE_ALIGN - 1) / VCE_ALIGN * VCE_ALIGN;
    for (int kind = 0; kind < VCE_PARTS; kind++)
        w.squared[kind] = TAKE(double, channels);
    w.spare = TAKE(double, channels);
    w.signals = TAKE(float, 5 * channels);
    w.error = TAKE(float, channels);
    w.product = TAKE(float, channels);
    w.window = TAKE(float, window);
    w.back = TAKE(float, window);
    w.components = TAKE(float, (size_t)d->shape.components);
    w.missing = TAKE(uint8_t, channels);
    w.unknown = TAKE(uint8_t, channels);
    w.end = (char *)at;
#undef TAKE
    return w;
}

#endif
