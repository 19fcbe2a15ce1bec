/* Lays out, packs and checks the packed detector. */
#include "detector/detector.h"
#include "internal.h"

#include <string.h>

/* Rows and columns of the sections. */
enum count {
    ONE,
    TWO,
    C,
    TRACKS,
    NUMBERS,
    K,
    M,
    KC,
    ORDER_C,
    HORIZON_C,
    NETWORK_C,
    DISTANCE_C,
    CYCLE_C,
    CENTROIDS,
    RECORD,
    COUNTS
};

#define FORMAT_double 'd'
#define FORMAT_float 'f'
#define FORMAT_int32_t 'i'
#define SECTION(constant, type, field, rows, columns, matrix)                                                          \
    [constant] = {#field, FORMAT_##type, sizeof(type), rows, columns, matrix},
static const struct {
    const char *name;
    char format;
    uint8_t item_bytes, rows, columns, matrix;
} table[VCE_SECTIONS] = {VCE_DETECTOR_SECTIONS(SECTION)};
#undef SECTION

typedef struct detector_header {
    char magic[8];
    uint32_t version, byte_order;
    int32_t isa, reserved;
    double clip, surprise_limit;
    vce_detector_shape shape;
    uint64_t cell_bytes, bytes;
} detector_header;

#define MAGIC "vcedete"
#define VERSION 2

typedef struct layout {
    uint64_t at[VCE_SECTIONS], cell, bytes;
} layout;

static int statistic_ok(const vce_detector_shape *s)
{
    int64_t c = s->channels;
    return s->centroids >= 0 && s->centroids <= VCE_MAX_SIZE && s->centroids * c <= VCE_MAX_WINDOW &&
           s->cycle_rows >= 0 && s->cycle_blocks >= 0 && s->cycle_blocks <= VCE_MAX_SIZE &&
           (s->cycle_rows > 0) == (s->cycle_blocks > 0) && s->cycle_blocks * c <= VCE_MAX_WINDOW && s->sensors >= 0 &&
           s->sensors <= c && s->live >= 0 && s->live <= c;
}

static int shape_ok(const vce_detector_shape *s)
{
    int64_t c = s->channels;
    return c >= 1 && c <= VCE_MAX_SIZE / 5 && s->order >= 1 && s->order * c <= VCE_MAX_WINDOW &&
           s->horizon_order >= 1 && s->horizon_order * c <= VCE_MAX_WINDOW && s->lags >= 1 &&
           s->lags * c <= VCE_MAX_WINDOW && s->ahead >= 1 && s->ahead <= VCE_MAX_SIZE && s->components >= 0 &&
           s->components <= VCE_MAX_SIZE && s->depth >= s->order &&
           s->depth >= (int64_t)s->horizon_order + s->ahead - 1 && s->depth * c <= 16 * VCE_MAX_WINDOW &&
           s->hidden >= 0 && s->hidden <= VCE_MAX_SIZE && (s->flags == 0 || s->flags == 1) && s->surprise_ticks >= 0 &&
           s->reserved == 0 && statistic_ok(s);
}

static int64_t count_of(const vce_detector_shape *s, int count)
{
    const int64_t c = s->channels;
    const int64_t counts[COUNTS] = {
        [ONE] = 1,
        [TWO] = 2,
        [C] = c,
        [TRACKS] = VCE_TRACKS,
        [NUMBERS] = VCE_NUMBERS,
        [K] = s->lags,
        [M] = s->components,
        [KC] = s->lags * c,
        [ORDER_C] = s->order * c,
        [HORIZON_C] = s->horizon_order * c,
        [NETWORK_C] = s->hidden ? c : 0,
        [DISTANCE_C] = s->centroids ? c : 0,
        [CYCLE_C] = s->cycle_blocks ? c : 0,
        [CENTROIDS] = s->centroids,
        [RECORD] = VCE_FIELDS + 1,
    };
    return counts[count];
}

int vce_section_bytes(int section) { return table[section].item_bytes; }
char vce_section_format(int section) { return table[section].format; }
const char *vce_section_name(int section) { return table[section].name; }

int64_t vce_section_items(const vce_detector_shape *shape, int section)
{
    return shape_ok(shape) ? count_of(shape, table[section].rows) * count_of(shape, table[section].columns) : 0;
}

/* Return the items of a section as it is packed. */
static int64_t packed_items(const vce_detector_shape *s, int section, int width)
{
    int64_t rows = count_of(s, table[section].rows);
    return (table[section].matrix ? vce_padded(rows, width) : rows) * count_of(s, table[section].columns);
}

static layout layout_of(const vce_detector_shape *s, const struct vce_ops *ops, uint64_t cell_bytes)
{
    layout to;
    uint64_t end = vce_aligned(sizeof(detector_header));
    for (int i = 0; i < VCE_SECTIONS; i++)
        to.at[i] = vce_reserve(&end, (uint64_t)packed_items(s, i, ops->width) * table[i].item_bytes);
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

/* Return the bytes of a field of the record; those of one item go to `item`. */
static int64_t field_bytes(const vce_detector_shape *s, int field, int *item)
{
    const int64_t c = s->channels, depth = s->depth, hidden = s->hidden, blocks = s->cycle_blocks;
    const int64_t cycle_c = blocks ? 2 * c : 0;
#define ITEMS(constant, type, name, items) [constant] = items,
#define BYTES(constant, type, name, items) [constant] = sizeof(type),
    const int64_t items[VCE_FIELDS] = {VCE_RECORD_FIELDS(ITEMS)};
    static const uint8_t bytes[VCE_FIELDS] = {VCE_RECORD_FIELDS(BYTES)};
#undef ITEMS
#undef BYTES
    *item = bytes[field];
    return items[field] * *item;
}

static int tables_ok(const vce_detector_shape *s, const int32_t *lags, const int32_t *record)
{
    for (int32_t i = 0; i < s->lags; i++)
        if (i == 0 ? lags[0] != 0 : lags[i] <= lags[i - 1] || lags[i] > s->depth)
            return 0;
    int64_t most = 8; /* with padding behind each field */
    for (int field = 0; field < VCE_FIELDS; field++) {
        int item;
        int64_t bytes = field_bytes(s, field, &item);
        most += bytes + 8;
        if (record[field] < 0 || record[field] % item || record[field] + bytes > record[VCE_FIELDS])
            return 0;
    }
    return record[VCE_FIELDS] <= most;
}

static int section_finite(const void *section, int which, int64_t items)
{
    const char format = table[which].format;
    const uint64_t count = (uint64_t)items;
    return format == 'i' || (format == 'd' ? vce_doubles_finite(section, count) : vce_floats_finite(section, count));
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
    header.clip = clip, header.surprise_limit = surprise_limit, header.shape = *shape;
    header.cell_bytes = cell_bytes, header.bytes = to.bytes;
    memcpy(base, &header, sizeof header);
    for (int i = 0; i < VCE_SECTIONS; i++) {
        int64_t items = vce_section_items(shape, i);
        if (items == 0)
            continue;
        if (table[i].matrix)
            vce_pack_matrix(sections[i], count_of(shape, table[i].rows), count_of(shape, table[i].columns), ops->width,
                            (float *)(void *)(base + to.at[i]));
        else
            memcpy(base + to.at[i], sections[i], (size_t)items * table[i].item_bytes);
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
#define POINT(constant, type, field, rows, columns, matrix)                                                            \
    d->field = (const type *)(const void *)(base + from.at[constant]);
    VCE_DETECTOR_SECTIONS(POINT)
#undef POINT
    if (!tables_ok(&d->shape, d->lags, d->record))
        return VCE_BAD_SHAPE;
    int finite = vce_doubles_finite(&d->clip, 1) && d->clip >= 0 && d->surprise_limit == d->surprise_limit;
    for (int i = 0; i < VCE_SECTIONS; i++)
        finite &= section_finite(base + from.at[i], i, packed_items(&d->shape, i, ops->width));
    if (!finite)
        return VCE_BAD_NUMBER;
    if (!d->shape.hidden)
        return VCE_OK;
    int error = vce_open(&d->cell, base + from.cell, (size_t)header.cell_bytes);
    return error ? error : d->cell.ops == ops && cell_fits(&d->shape, &d->cell) ? VCE_OK : VCE_BAD_SHAPE;
}
