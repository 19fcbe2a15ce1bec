/* judge and score_lines: many rows of one stream, and their lines of scores.csv; both without the GIL. */
#include "judge.h"
#include "lines.h"
#include "python_detector.h"

/* How many items an array has: of N rows, C channels. */
enum amount { PER_ROW, PER_ROW_CHANNEL, PER_ROW_TOP, PER_CHANNEL, PER_BATCH, PER_KEPT, PER_MEAN, PER_FEATURE,
              PER_BATCH_CHANNEL, PER_TOPS, PER_DEFECT, PER_EVENT, PER_STREAM, PER_RULE, AMOUNTS };

typedef struct argument {
    const char *name, *format;
    uint8_t amount, written;
} argument;

enum { MOST_ARGUMENTS = 35 };

static Py_ssize_t item_bytes(const char *format)
{
    return *format == 'd' || *format == 'q' ? 8 : *format == 'i' ? 4 : 1;
}

/* The arrays of a tuple, checked against their table. Returns how many were taken: all of them, or an error is set. */
static int take_table(PyObject *tuple, const argument *table, int count, const Py_ssize_t *amounts, Py_buffer *views)
{
    if (PyTuple_Size(tuple) != count) {
        PyErr_Format(PyExc_ValueError, "%d arrays are needed, not %zd", count, PyTuple_Size(tuple));
        return 0;
    }
    for (int i = 0; i < count; i++)
        if (take_array(PyTuple_GetItem(tuple, i), views + i, table[i].name, table[i].format, item_bytes(table[i].format),
                       amounts[table[i].amount], table[i].written) < 0)
            return i;
    return count;
}

typedef struct field {
    const char *name, *type;
} field;

#define VCE_NAME(type, name) {#name, #type},
static const field rule_fields[] = {VCE_RULES(VCE_NAME)}, memory_fields[] = {VCE_MEMORY(VCE_NAME)};
#undef VCE_NAME

static PyObject *field_list(const field *fields, size_t count)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *entry = Py_BuildValue("(ss)", fields[i].name, *fields[i].type == 'd' ? "f8" : "i8");
        if (!entry || PyList_Append(list, entry) < 0)
            Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

/* judge_fields(): names and formats of the fields of rules and of memory */
static PyObject *py_judge_fields(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *rules = field_list(rule_fields, sizeof rule_fields / sizeof *rule_fields);
    PyObject *memory = field_list(memory_fields, sizeof memory_fields / sizeof *memory_fields);
    if (rules && memory)
        return Py_BuildValue("(NN)", rules, memory);
    Py_XDECREF(rules);
    Py_XDECREF(memory);
    return NULL;
}

static const argument judge_table[] = {
    {"rules", "", PER_RULE, 0},
    {"low", "d", PER_CHANNEL, 0},
    {"high", "d", PER_CHANNEL, 0},
    {"stuck_rows", "q", PER_CHANNEL, 0},
    {"rates", "d", PER_CHANNEL, 0},
    {"holds", "q", PER_DEFECT, 0},
    {"change_scale", "d", PER_CHANNEL, 0},
    {"weights", "d", PER_BATCH, 0},
    {"keeps", "d", PER_KEPT, 0},
    {"memory", "", PER_STREAM, 1},
    {"contributions", "d", PER_CHANNEL, 1},
    {"last", "d", PER_CHANNEL, 1},
    {"run", "q", PER_CHANNEL, 1},
    {"believed", "d", PER_CHANNEL, 1},
    {"refused", "d", PER_CHANNEL, 1},
    {"times", "q", PER_CHANNEL, 1},
    {"absent", "q", PER_CHANNEL, 1},
    {"defects", "q", PER_EVENT, 1},
    {"means", "d", PER_MEAN, 1},
    {"sum", "d", PER_FEATURE, 1},
    {"residual", "d", PER_BATCH_CHANNEL, 1},
    {"z", "d", PER_BATCH_CHANNEL, 1},
    {"tops", "i", PER_TOPS, 1},
    {"time_ns", "q", PER_ROW, 0},
    {"values", "d", PER_ROW_CHANNEL, 0},
    {"raw", "d", PER_ROW, 1},
    {"score", "d", PER_ROW, 1},
    {"threshold", "d", PER_ROW, 1},
    {"updated", "i", PER_ROW, 1},
    {"wake", "i", PER_ROW, 1},
    {"top", "i", PER_ROW_TOP, 1},
    {"status", "B", PER_ROW, 1},
    {"alarm", "B", PER_ROW, 1},
    {"in_event", "B", PER_ROW, 1},
    {"missing", "B", PER_ROW_CHANNEL, 1},
};
enum { JUDGE_ARRAYS = sizeof judge_table / sizeof *judge_table };

/* judge(rows, start, stop, state, arrays, min_level, logit_bias) -> the first row that is left */
static PyObject *detector_judge(Detector *self, PyObject *args)
{
    PyObject *state, *tuple, *result = NULL;
    Py_ssize_t rows, start, stop, c = self->detector.shape.channels;
    Py_buffer record, v[MOST_ARGUMENTS];
    int min_level;
    double logit_bias;
    if (!PyArg_ParseTuple(args, "nnnOO!id", &rows, &start, &stop, &state, &PyTuple_Type, &tuple, &min_level, &logit_bias))
        return NULL;
    if (start < 0 || start > stop || stop > rows || rows > PY_SSIZE_T_MAX / (8 * VCE_MAX_SIZE))
        return PyErr_Format(PyExc_ValueError, "rows %zd to %zd of %zd", start, stop, rows);
    if (take_record(self, state, &record) < 0)
        return NULL;
    const Py_ssize_t amounts[AMOUNTS] = {
        rows, rows * c, rows * VCE_TOP, c, VCE_SPANS * VCE_BATCH, VCE_SPANS * (VCE_BATCH + 1), VCE_SPANS * VCE_STATISTICS * c,
        VCE_FEATURES, (VCE_BATCH + 1) * c, 2 * VCE_TOP, VCE_DEFECTS, 2 * VCE_DEFECTS, sizeof(vce_stream), sizeof(vce_rules)};
    int taken = take_table(tuple, judge_table, JUDGE_ARRAYS, amounts, v);
    int aligned = taken == JUDGE_ARRAYS && (uintptr_t)v[0].buf % 8 == 0 && (uintptr_t)v[9].buf % 8 == 0;
    void *scratch = aligned ? aligned_memory(vce_judge_scratch_size(&self->detector)) : NULL;
    if (scratch) {
        const vce_judge judge = {
            .detector = &self->detector, .record = record.buf,
            .rules = v[0].buf, .low = v[1].buf, .high = v[2].buf, .stuck_rows = v[3].buf, .rates = v[4].buf, .holds
            = v[5].buf, .change_scale = v[6].buf, .weights = v[7].buf, .keeps = v[8].buf, .memory = v[9].buf,
            .contributions = v[10].buf, .last = v[11].buf, .run = v[12].buf, .believed = v[13].buf, .refused =
            v[14].buf, .times = v[15].buf, .absent = v[16].buf, .defects = v[17].buf, .means = v[18].buf, .sum =
            v[19].buf, .residual = v[20].buf, .z = v[21].buf, .tops = v[22].buf};
        const vce_rows table = {
            .time_ns = v[23].buf, .values = v[24].buf, .raw = v[25].buf, .score = v[26].buf, .threshold = v[27].buf,
            .updated = v[28].buf, .wake = v[29].buf, .top = v[30].buf, .status = v[31].buf, .alarm = v[32].buf,
            .in_event = v[33].buf, .missing = v[34].buf};
        int64_t left;
        Py_BEGIN_ALLOW_THREADS
        left = vce_judge_rows(&judge, scratch, &table, start, stop, min_level, logit_bias);
        Py_END_ALLOW_THREADS
        free(scratch);
        result = left < 0 ? PyErr_Format(PyExc_ValueError, "memory: not that of a stream") : PyLong_FromLongLong(left);
    } else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "rules, memory: not aligned to 8 bytes");
    while (taken > 0)
        PyBuffer_Release(v + --taken);
    PyBuffer_Release(&record);
    return result;
}

static const argument lines_table[] = {
    {"time_ns", "q", PER_ROW, 0}, {"raw", "d", PER_ROW, 0},     {"score", "d", PER_ROW, 0},  {"updated", "i", PER_ROW, 0},
    {"top", "i", PER_ROW_TOP, 0}, {"status", "B", PER_ROW, 0}, {"alarm", "B", PER_ROW, 0}, {"ends", "i", PER_CHANNEL, 0},
};
enum { LINES_ARRAYS = sizeof lines_table / sizeof *lines_table, MOST_TEXT = 1 << 16 };

/* Each name ends behind the one before it, the last one where the names end. */
static int names_end(const int32_t *ends, Py_ssize_t channels, Py_ssize_t length)
{
    int32_t before = 0;
    for (Py_ssize_t c = 0; c < channels; before = ends[c++])
        if (ends[c] < before || ends[c] > length)
            return 0;
    return 1;
}

/* score_lines(rows, start, stop, arrays, names, hidden, numbered) -> (text, the first row that is left) */
static PyObject *py_score_lines(PyObject *module, PyObject *args)
{
    PyObject *tuple, *result = NULL;
    Py_ssize_t rows, start, stop, names_length;
    const char *names;
    Py_buffer v[LINES_ARRAYS];
    int hidden, channels;
    long long numbered;
    (void)module;
    if (!PyArg_ParseTuple(args, "nnnO!is#iL", &rows, &start, &stop, &PyTuple_Type, &tuple, &channels, &names, &names_length,
                          &hidden, &numbered))
        return NULL;
    if (start < 0 || start > stop || stop > rows || rows > PY_SSIZE_T_MAX / (8 * VCE_MAX_SIZE) || channels < 0 || hidden < 0)
        return PyErr_Format(PyExc_ValueError, "rows %zd to %zd of %zd, %d channels, %d hidden", start, stop, rows, channels,
                            hidden);
    Py_ssize_t amounts[AMOUNTS] = {rows, 0, rows * VCE_TOP, channels};
    int taken = take_table(tuple, lines_table, LINES_ARRAYS, amounts, v);
    if (taken == LINES_ARRAYS && !names_end(v[7].buf, channels, names_length))
        PyErr_SetString(PyExc_ValueError, "ends: not those of the names");
    else if (taken == LINES_ARRAYS) {
        const vce_lines lines = {.time_ns = v[0].buf, .raw = v[1].buf, .score = v[2].buf, .updated = v[3].buf, .top = v[4].buf,
                                 .status = v[5].buf, .alarm = v[6].buf, .ends = v[7].buf, .names = names,
                                 .channels = channels, .hidden = hidden, .numbered = numbered};
        size_t size = MOST_TEXT + vce_line_size(&lines), length = 0;
        char *to = malloc(size);
        if (to) {
            int64_t left;
            Py_BEGIN_ALLOW_THREADS
            left = vce_score_lines(&lines, start, stop, to, size, &length);
            Py_END_ALLOW_THREADS
            result = Py_BuildValue("(s#L)", to, (Py_ssize_t)length, (long long)left);
            free(to);
        } else
            PyErr_NoMemory();
    }
    while (taken > 0)
        PyBuffer_Release(v + --taken);
    return result;
}
