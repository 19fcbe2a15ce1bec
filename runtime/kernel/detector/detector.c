/* The packed detector: its sizes, its packing, its checking. */
#include "detector/detector.h"
#include "internal.h"

#include <string.h>

/* Rows and columns of each section as it is given; the matrices are packed in panels of the SIMD width, like the head. */
enum count { ONE, C, PARTS, K, M, KC, ORDER_C, HORIZON_C, NETWORK_C, RECORD, COUNTS };

static const struct {
    const char *name;
    char format;
    uint8_t rows, columns, matrix;
} table[VCE_SECTIONS] = {
    [VCE_CENTER] = {"center", 'd', C, ONE, 0},
    [VCE_SCALE] = {"scale", 'd', C, ONE, 0},
    [VCE_ALPHA] = {"alpha", 'd', PARTS, ONE, 0},
    [VCE_WEIGHT] = {"weight", 'd', PARTS, ONE, 0},
    [VCE_USUAL] = {"usual", 'd', PARTS, ONE, 0},
    [VCE_INITIAL] = {"initial", 'd', PARTS, ONE, 0},
    [VCE_KINDS] = {"kinds", 'i', PARTS, ONE, 0},
    [VCE_LAGS] = {"lags", 'i', K, ONE, 0},
    [VCE_RECORD] = {"record", 'i', RECORD, ONE, 0},
    [VCE_CHANGE_SCALE] = {"change_scale", 'f', C, ONE, 0},
    [VCE_BIAS] = {"bias", 'f', C, ONE, 0},
    [VCE_SPREAD] = {"spread", 'f', C, ONE, 0},
    [VCE_START] = {"start", 'f', C, ONE, 0},
    [VCE_HORIZON_BIAS] = {"horizon_bias", 'f', C, ONE, 0},
    [VCE_HORIZON_SPREAD] = {"horizon_spread", 'f', C, ONE, 0},
    [VCE_HORIZON_START] = {"horizon_start", 'f', C, ONE, 0},
    [VCE_ERROR_SCALE] = {"error_scale", 'f', NETWORK_C, ONE, 0},
    [VCE_MEAN] = {"mean", 'f', KC, ONE, 0},
    [VCE_FORECAST] = {"forecast", 'f', C, ORDER_C, 1},
    [VCE_WHITEN] = {"whiten", 'f', C, C, 1},
    [VCE_HORIZON] = {"horizon", 'f', C, HORIZON_C, 1},
    [VCE_COMPONENTS] = {"components", 'f', M, KC, 1},
    [VCE_BACK] = {"back", 'f', KC, M, 1},
};

typedef struct detector_header {
    char magic[8];
    uint32_t version, byte_order;
    int32_t isa, reserved;
    double clip, surprise_limit;
    vce_detector_shape shape;
    uint64_t cell_bytes, bytes;
} detector_header;

#define MAGIC "vcedete"
#define VERSION 1

typedef struct layout {
    uint64_t at[VCE_SECTIONS], cell, bytes;
} layout;

static int shape_ok(const vce_detector_shape *s)
{
    int64_t c = s->channels;
    return c >= 1 && c <= VCE_MAX_SIZE / 5 && s->order >= 1 && s->order * c <= VCE_MAX_WINDOW && s->horizon_order >= 1 &&
           s->horizon_order * c <= VCE_MAX_WINDOW && s->lags >= 1 && s->lags * c <= VCE_MAX_WINDOW && s->ahead >= 1 &&
           s->ahead <= VCE_MAX_SIZE && s->components >= 0 && s->components <= VCE_MAX_SIZE && s->parts >= 1 &&
           s->parts <= VCE_MAX_PARTS && s->depth >= s->order && s->depth >= (int64_t)s->horizon_order + s->ahead - 1 &&
           s->depth * c <= 16 * VCE_MAX_WINDOW && s->hidden >= 0 && s->hidden <= VCE_MAX_SIZE &&
           (s->flags == 0 || s->flags == 1) && s->surprise_ticks >= 0 && s->reserved == 0;
}

static int64_t count_of(const vce_detector_shape *s, int count)
{
    const int64_t c = s->channels;
    const int64_t counts[COUNTS] = {1,           c,           s->parts,
                                    s->lags,     s->components, s->lags * c,
                                    s->order * c, s->horizon_order * c, s->hidden ? c : 0,
                                    VCE_FIELDS + 1};
    return counts[count];
}

int vce_section_bytes(int section) { return table[section].format == 'd' ? 8 : 4; }
char vce_section_format(int section) { return table[section].format; }
const char *vce_section_name(int section) { return table[section].name; }

int64_t vce_section_items(const vce_detector_shape *shape, int section)
{
    return shape_ok(shape) ? count_of(shape, table[section].rows) * count_of(shape, table[section].columns) : 0;
}

/* Items of a section as it is packed. */
static int64_t packed_items(const vce_detector_shape *s, int section, int width)
{
    int64_t rows = count_of(s, table[section].rows);
    return (table[section].matrix ? vce_padded(rows, width) : rows) * count_of(s, table[section].columns);
}

static layout layout_of(const vce_detector_shape *s, const struct vce_ops *ops, uint64_t cell_bytes)
{
    layout to;
    uint64_t end = VCE_ALIGN * ((sizeof(detector_header) + VCE_ALIGN - 1) / VCE_ALIGN);
    for (int i = 0; i < VCE_SECTIONS; i++) {
        to.at[i] = end;
        uint64_t bytes = (uint64_t)packed_items(s, i, ops->width) * (uint64_t)vce_section_bytes(i);
        end = (end + bytes + VCE_ALIGN - 1) / VCE_ALIGN * VCE_ALIGN;
    }
    to.cell = end;
    to.bytes = end + cell_bytes;
    return to;
}

size_t vce_detector_size(const vce_detector_shape *shape, int isa, size_t cell_bytes)
{
    const struct vce_ops *ops = vce_ops_of(isa);
    if (!ops || !shape_ok(shape) || (shape->hidden > 0) != (cell_bytes > 0) || cell_bytes > SIZE_MAX / 4)
        return 0;
    uint64_t bytes = layout_of(shape, ops, cell_bytes).bytes;
    return bytes > SIZE_MAX / 2 ? 0 : (size_t)bytes;
}

/* Bytes of a field of the record, and of one of its items. */
static int64_t field_bytes(const vce_detector_shape *s, int field, int *item)
{
    const int64_t c = s->channels;
    const int64_t items[VCE_FIELDS] = {s->parts * c, s->parts, 1, 1, 1, 1, 1, s->depth * c, c, c, c, s->hidden, c};
    *item = field <= VCE_F_SEEN ? 8 : field == VCE_F_HELD ? 1 : 4;
    return items[field] * *item;
}

static int tables_ok(const vce_detector_shape *s, const int32_t *kinds, const int32_t *lags, const int32_t *record)
{
    for (int32_t i = 0; i < s->parts; i++)
        if (kinds[i] < 0 || kinds[i] >= VCE_PARTS)
            return 0;
    for (int32_t i = 0; i < s->lags; i++)
        if (i == 0 ? lags[0] != 0 : lags[i] <= lags[i - 1] || lags[i] > s->depth)
            return 0;
    int64_t whole = 8; /* what is behind the fields is padding */
    for (int field = 0; field < VCE_FIELDS; field++) {
        int item;
        int64_t bytes = field_bytes(s, field, &item);
        whole += bytes + 8;
        if (record[field] < 0 || record[field] % item || record[field] + bytes > record[VCE_FIELDS])
            return 0;
    }
    return record[VCE_FIELDS] <= whole;
}

static int section_finite(const void *section, int which, int64_t items)
{
    int ok = 1;
    if (table[which].format == 'd')
        for (int64_t i = 0; i < items; i++)
            ok &= ((const double *)section)[i] - ((const double *)section)[i] == 0;
    else if (table[which].format == 'f')
        for (int64_t i = 0; i < items; i++)
            ok &= ((const float *)section)[i] - ((const float *)section)[i] == 0;
    return ok;
}

static void pack_matrix(const float *from, int64_t rows, int64_t columns, int width, float *to)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t j = 0; j < columns; j++)
            to[(row / width * columns + j) * width + row % width] = from[row * columns + j];
}

int vce_detector_pack(const vce_detector_shape *shape, const void *const *sections, double clip, double surprise_limit,
                      const void *cell, size_t cell_bytes, int isa, void *model, size_t size)
{
    size_t needed = vce_detector_size(shape, isa, cell_bytes);
    if (!needed)
        return vce_ops_of(isa) ? VCE_BAD_SHAPE : VCE_BAD_ISA;
    if (size < needed)
        return VCE_BAD_LENGTH;
    if ((uintptr_t)model % VCE_ALIGN)
        return VCE_BAD_ALIGNMENT;
    const struct vce_ops *ops = vce_ops_of(isa);
    layout to = layout_of(shape, ops, cell_bytes);
    unsigned char *base = model;
    memset(model, 0, needed);
    detector_header header = {.magic = MAGIC, .version = VERSION, .byte_order = VCE_BYTE_ORDER, .isa = isa};
    header.clip = clip, header.surprise_limit = surprise_limit;
    header.shape = *shape;
    header.cell_bytes = cell_bytes, header.bytes = to.bytes;
    memcpy(base, &header, sizeof header);
    for (int i = 0; i < VCE_SECTIONS; i++) {
        int64_t items = vce_section_items(shape, i);
        if (items == 0)
            continue;
        if (table[i].matrix)
            pack_matrix(sections[i], count_of(shape, table[i].rows), count_of(shape, table[i].columns), ops->width,
                        (float *)(void *)(base + to.at[i]));
        else
            memcpy(base + to.at[i], sections[i], (size_t)items * (size_t)vce_section_bytes(i));
    }
    if (cell_bytes)
        memcpy(base + to.cell, cell, cell_bytes);
    vce_detector detector;
    return vce_detector_open(&detector, model, needed);
}

static int cell_fits(const vce_detector_shape *s, const vce_cell *cell)
{
    const vce_shape *c = &cell->shape;
    return c->hidden == s->hidden && c->inputs == s->channels * (s->flags ? 2 : 1) && c->outputs == s->channels &&
           c->signals == c->inputs + 3 * s->channels;
}

int vce_detector_open(vce_detector *d, const void *model, size_t size)
{
    const unsigned char *base = model;
    detector_header header;
    if (size < sizeof header)
        return VCE_BAD_LENGTH;
    if ((uintptr_t)model % VCE_ALIGN)
        return VCE_BAD_ALIGNMENT;
    memcpy(&header, model, sizeof header);
    if (memcmp(header.magic, MAGIC, sizeof header.magic) || header.version != VERSION ||
        header.byte_order != VCE_BYTE_ORDER)
        return VCE_BAD_MODEL;
    const struct vce_ops *ops = vce_ops_of(header.isa);
    if (!ops)
        return VCE_BAD_ISA;
    if (header.cell_bytes > size || !vce_detector_size(&header.shape, header.isa, (size_t)header.cell_bytes))
        return VCE_BAD_SHAPE;
    layout from = layout_of(&header.shape, ops, header.cell_bytes);
    if (header.bytes != from.bytes || size < from.bytes)
        return VCE_BAD_LENGTH;

    d->ops = ops, d->shape = header.shape;
    d->clip = header.clip, d->surprise_limit = header.surprise_limit;
#define AT(type, section) ((const type *)(const void *)(base + from.at[section]))
    d->center = AT(double, VCE_CENTER), d->scale = AT(double, VCE_SCALE), d->alpha = AT(double, VCE_ALPHA);
    d->weight = AT(double, VCE_WEIGHT), d->usual = AT(double, VCE_USUAL), d->initial = AT(double, VCE_INITIAL);
    d->kinds = AT(int32_t, VCE_KINDS), d->lags = AT(int32_t, VCE_LAGS), d->record = AT(int32_t, VCE_RECORD);
    d->change_scale = AT(float, VCE_CHANGE_SCALE), d->bias = AT(float, VCE_BIAS), d->spread = AT(float, VCE_SPREAD);
    d->start = AT(float, VCE_START), d->horizon_bias = AT(float, VCE_HORIZON_BIAS);
    d->horizon_spread = AT(float, VCE_HORIZON_SPREAD), d->horizon_start = AT(float, VCE_HORIZON_START);
    d->error_scale = AT(float, VCE_ERROR_SCALE), d->mean = AT(float, VCE_MEAN), d->forecast = AT(float, VCE_FORECAST);
    d->whiten = AT(float, VCE_WHITEN), d->horizon = AT(float, VCE_HORIZON), d->back = AT(float, VCE_BACK);
    d->components = AT(float, VCE_COMPONENTS);
#undef AT
    if (!tables_ok(&d->shape, d->kinds, d->lags, d->record))
        return VCE_BAD_SHAPE;
    int finite = section_finite(&d->clip, VCE_CENTER, 1) && d->clip >= 0 && d->surprise_limit == d->surprise_limit;
    for (int i = 0; i < VCE_SECTIONS; i++)
        finite &= section_finite(base + from.at[i], i, packed_items(&d->shape, i, ops->width));
    if (!finite)
        return VCE_BAD_NUMBER;
    if (!d->shape.hidden)
        return VCE_OK;
    int error = vce_open(&d->cell, base + from.cell, (size_t)header.cell_bytes);
    return error ? error : d->cell.ops == ops && cell_fits(&d->shape, &d->cell) ? VCE_OK : VCE_BAD_SHAPE;
}
