/* Detector: a packed detector in the caller's memory, checked and open; and its packing. */
#include "detector.h"
#include "python_pack.h"

typedef struct {
    PyObject_HEAD
    Py_buffer memory;
    vce_detector detector;
    void *scratch; /* of `step`, which keeps the GIL */
    double *values; /* (C) a sample that does not lie in one piece */
    int open;
} Detector;

static int read_detector_shape(PyObject *tuple, vce_detector_shape *s)
{
    s->reserved = 0;
    return PyArg_ParseTuple(tuple, "iiiiiiiiiii;shape: (channels, order, horizon_order, ahead, lags, components, parts, "
                                   "depth, hidden, flags, surprise_ticks)",
                            &s->channels, &s->order, &s->horizon_order, &s->ahead, &s->lags, &s->components, &s->parts,
                            &s->depth, &s->hidden, &s->flags, &s->surprise_ticks);
}

static PyObject *py_detector_sections(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < VCE_SECTIONS; i++) {
        PyObject *entry = Py_BuildValue("(sC)", vce_section_name(i), (int)vce_section_format(i));
        if (!entry || PyList_Append(list, entry) < 0)
            Py_CLEAR(list);
        Py_XDECREF(entry);
    }
    return list;
}

static PyObject *py_detector_size(PyObject *module, PyObject *args)
{
    PyObject *tuple;
    vce_detector_shape shape;
    int isa;
    Py_ssize_t cell_bytes;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!in", &PyTuple_Type, &tuple, &isa, &cell_bytes) || !read_detector_shape(tuple, &shape))
        return NULL;
    return PyLong_FromSize_t(cell_bytes < 0 ? 0 : vce_detector_size(&shape, isa, (size_t)cell_bytes));
}

/* detector_pack(shape, isa, model, clip, surprise_limit, sections, cell) */
static PyObject *py_detector_pack(PyObject *module, PyObject *args)
{
    PyObject *tuple, *model, *sections, *cell, *result = NULL;
    Py_buffer into, packed_cell, views[VCE_SECTIONS];
    vce_detector_shape s;
    int isa, taken = 0;
    double clip, surprise_limit;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!iOddO!O", &PyTuple_Type, &tuple, &isa, &model, &clip, &surprise_limit, &PyTuple_Type,
                          &sections, &cell) ||
        !read_detector_shape(tuple, &s))
        return NULL;
    if (PyTuple_Size(sections) != VCE_SECTIONS)
        return PyErr_Format(PyExc_ValueError, "sections: expected %d arrays", (int)VCE_SECTIONS);
    if (take_array(cell, &packed_cell, "cell", "", 1, -1, 0) < 0)
        return NULL;
    if (take_array(model, &into, "model", "", 1, -1, 1) < 0) {
        PyBuffer_Release(&packed_cell);
        return NULL;
    }
    const void *pointers[VCE_SECTIONS];
    for (; taken < VCE_SECTIONS; taken++) {
        const char format[2] = {vce_section_format(taken), 0};
        if (take_array(PyTuple_GetItem(sections, taken), views + taken, vce_section_name(taken), format,
                       vce_section_bytes(taken), (Py_ssize_t)vce_section_items(&s, taken), 0) < 0)
            goto done;
        pointers[taken] = views[taken].buf;
    }
    int error = vce_detector_pack(&s, pointers, clip, surprise_limit, packed_cell.buf, (size_t)packed_cell.len, isa,
                                  into.buf, (size_t)into.len);
    if (error)
        PyErr_Format(PyExc_ValueError, "model: %s", vce_error_text(error));
    else
        result = Py_NewRef(Py_None);
done:
    while (taken > 0)
        PyBuffer_Release(views + --taken);
    PyBuffer_Release(&into);
    PyBuffer_Release(&packed_cell);
    return result;
}

static void detector_dealloc(Detector *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    if (self->open)
        PyBuffer_Release(&self->memory);
    free(self->scratch);
    free(self->values);
    release(self);
    Py_DECREF(type);
}

static PyObject *detector_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *memory;
    if ((keywords && PyDict_Size(keywords)) || !PyArg_ParseTuple(args, "O:Detector", &memory)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "Detector takes one argument, the packed model");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Detector *self = (Detector *)allocate(type, 0);
    if (!self)
        return NULL;
    self->open = take_array(memory, &self->memory, "model", "", 1, -1, 0) == 0;
    if (self->open) {
        int error = vce_detector_open(&self->detector, self->memory.buf, (size_t)self->memory.len);
        if (error)
            PyErr_Format(PyExc_ValueError, "model: %s", vce_error_text(error));
        else if ((self->scratch = aligned_memory(vce_detector_scratch_size(&self->detector))) &&
                 (self->values = aligned_memory(sizeof(double) * (size_t)self->detector.shape.channels)))
            return (PyObject *)self;
    }
    Py_DECREF(self);
    return NULL;
}

static int take_record(Detector *self, PyObject *object, Py_buffer *view)
{
    Py_ssize_t bytes = (Py_ssize_t)vce_record_size(&self->detector);
    if (take_array(object, view, "state", "", 1, bytes, 1) < 0)
        return -1;
    if ((uintptr_t)view->buf % 8 == 0)
        return 0;
    PyErr_SetString(PyExc_ValueError, "state: not aligned to 8 bytes");
    PyBuffer_Release(view);
    return -1;
}

/* A sample (C,) of float64, with whatever stride. */
static const double *take_values(Detector *self, PyObject *object, Py_buffer *view)
{
    Py_ssize_t channels = self->detector.shape.channels;
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT) < 0)
        return NULL;
    if (view->ndim != 1 || view->shape[0] != channels)
        PyErr_Format(PyExc_ValueError, "values of %d dimensions and %zd bytes, expected (%zd,)", view->ndim, view->len,
                     channels);
    else if (!view->format || strcmp(view->format, "d"))
        PyErr_Format(PyExc_TypeError, "values: items of format '%s', expected 'd'", view->format ? view->format : "");
    else if (view->strides[0] == sizeof(double) && (uintptr_t)view->buf % sizeof(double) == 0)
        return view->buf;
    else {
        for (Py_ssize_t c = 0; c < channels; c++)
            memcpy(self->values + c, (const char *)view->buf + c * view->strides[0], sizeof(double));
        return self->values;
    }
    PyBuffer_Release(view);
    return NULL;
}

/* step(values, state, contributions, min_level, logit_bias) -> (raw, level, contributions) */
static PyObject *detector_step(Detector *self, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer sample, record, contributions;
    PyObject *result = NULL;
    if (count != 5)
        return PyErr_Format(PyExc_TypeError, "step takes 5 arguments");
    long min_level = PyLong_AsLong(args[3]);
    double logit_bias = PyFloat_AsDouble(args[4]);
    if (PyErr_Occurred())
        return NULL;
    int floor = min_level < 1 ? 1 : min_level > VCE_MAX_SIZE ? VCE_MAX_SIZE : (int)min_level;
    const double *values = take_values(self, args[0], &sample);
    if (!values)
        return NULL;
    if (take_record(self, args[1], &record) == 0) {
        if (take_array(args[2], &contributions, "contributions", "d", 8, self->detector.shape.channels, 1) == 0) {
            int32_t level;
            double raw = vce_detector_step(&self->detector, record.buf, self->scratch, values, contributions.buf, &level,
                                           floor, (float)logit_bias);
            result = Py_BuildValue("(diO)", raw, (int)level, args[2]);
            PyBuffer_Release(&contributions);
        }
        PyBuffer_Release(&record);
    }
    PyBuffer_Release(&sample);
    return result;
}

/* run(rows, values, state, raw, levels, wakes, contributions, min_level, logit_bias): without the GIL */
static PyObject *detector_run(Detector *self, PyObject *args)
{
    enum { ARRAYS = 5 };
    static const char *const names[ARRAYS] = {"values", "raw", "levels", "wakes", "contributions"};
    static const char formats[ARRAYS][2] = {"d", "d", "i", "i", "d"};
    PyObject *given[ARRAYS], *state, *result = NULL;
    Py_buffer views[ARRAYS], record;
    Py_ssize_t rows, channels = self->detector.shape.channels;
    int taken = 0, min_level;
    float logit_bias;
    if (!PyArg_ParseTuple(args, "nOOOOOOif", &rows, given, &state, given + 1, given + 2, given + 3, given + 4, &min_level,
                          &logit_bias))
        return NULL;
    if (rows < 0 || rows > PY_SSIZE_T_MAX / (8 * VCE_MAX_SIZE))
        return PyErr_Format(PyExc_ValueError, "rows: %zd", rows);
    if (take_record(self, state, &record) < 0)
        return NULL;
    for (; taken < ARRAYS; taken++) {
        int wide = taken == 0 || taken == ARRAYS - 1, whole = formats[taken][0] == 'i';
        if (take_array(given[taken], views + taken, names[taken], formats[taken], whole ? 4 : 8,
                       rows * (wide ? channels : 1), taken > 0) < 0)
            goto done;
    }
    void *scratch = aligned_memory(vce_detector_scratch_size(&self->detector));
    if (scratch) {
        Py_BEGIN_ALLOW_THREADS
        vce_detector_run(&self->detector, record.buf, scratch, rows, views[0].buf, views[1].buf, views[2].buf,
                         views[3].buf, views[4].buf, min_level, logit_bias);
        Py_END_ALLOW_THREADS
        free(scratch);
        result = Py_NewRef(Py_None);
    }
done:
    while (taken > 0)
        PyBuffer_Release(views + --taken);
    PyBuffer_Release(&record);
    return result;
}

static PyObject *detector_judge(Detector *self, PyObject *args); /* python_judge.h */

static PyMethodDef detector_methods[] = {
    {"step", (PyCFunction)(void (*)(void))detector_step, METH_FASTCALL,
     "step(values, state, contributions, min_level, logit_bias)\n\nOne sample; returns (raw, level, contributions)."},
    {"run", (PyCFunction)(void (*)(void))detector_run, METH_VARARGS,
     "run(rows, values, state, raw, levels, wakes, contributions, min_level, logit_bias)\n\nMany samples of one stream."},
    {"judge", (PyCFunction)(void (*)(void))detector_judge, METH_VARARGS,
     "judge(rows, start, stop, state, arrays, min_level, logit_bias)\n\nMany samples of one stream with all that is decided "
     "about each; returns the first row that is left."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot detector_slots[] = {
    {Py_tp_doc, "Detector(packed): a packed detector, checked; it stays in the caller's memory."},
    {Py_tp_new, detector_new},
    {Py_tp_dealloc, detector_dealloc},
    {Py_tp_methods, detector_methods},
    {0, NULL},
};

static PyType_Spec detector_spec = {"vcedge.runtime._kernel.Detector", sizeof(Detector), 0, Py_TPFLAGS_DEFAULT,
                                    detector_slots};
