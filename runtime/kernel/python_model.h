/* Model: a packed model in the caller's memory, checked and open. */
#include <stdlib.h>

#include "python_buffers.h"
#include "vcedge.h"

typedef struct {
    PyObject_HEAD
    Py_buffer memory;
    vce_cell cell;
    int open;
} Model;

static void *aligned_memory(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, VCE_ALIGN, bytes ? bytes : 1)) {
        PyErr_NoMemory();
        return NULL;
    }
    return memory;
}

static PyObject *model_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *memory;
    if (keywords && PyDict_Size(keywords)) {
        PyErr_SetString(PyExc_TypeError, "Model takes one argument, the packed model");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O:Model", &memory))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Model *self = (Model *)allocate(type, 0);
    if (!self)
        return NULL;
    if (take_array(memory, &self->memory, "model", "", 1, -1, 0) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    self->open = 1;
    int error = vce_open(&self->cell, self->memory.buf, (size_t)self->memory.len);
    if (error) {
        PyErr_Format(PyExc_ValueError, "model: %s", vce_error_text(error));
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void model_dealloc(Model *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    if (self->open)
        PyBuffer_Release(&self->memory);
    release(self);
    Py_DECREF(type);
}

static PyObject *model_state_size(Model *self, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(vce_state_size(&self->cell));
}

static PyObject *model_shape(Model *self, void *unused)
{
    const vce_shape *s = &self->cell.shape;
    (void)unused;
    return Py_BuildValue("(iiiiii)", s->gates, s->inputs, s->signals, s->hidden, s->outputs, s->levels);
}

/* Buffers of a long call: x, and y and levels or None. */
typedef struct {
    Py_buffer x, y, levels;
    int taken;
} Rows;

static void release_rows(Rows *rows)
{
    if (rows->taken > 0)
        PyBuffer_Release(&rows->x);
    if (rows->taken > 1 && rows->y.obj)
        PyBuffer_Release(&rows->y);
    if (rows->taken > 2 && rows->levels.obj)
        PyBuffer_Release(&rows->levels);
}

static int take_rows(Rows *rows, const vce_shape *s, Py_ssize_t count, PyObject *x, PyObject *y, PyObject *levels)
{
    memset(rows, 0, sizeof *rows);
    if (take_floats(x, &rows->x, "x", count * s->signals, 0) < 0)
        return -1;
    rows->taken = 1;
    if (y != Py_None && take_floats(y, &rows->y, "y", count * s->outputs, 1) < 0)
        return release_rows(rows), -1;
    rows->taken = 2;
    if (levels != Py_None && take_array(levels, &rows->levels, "levels", "i", 4, count, 1) < 0)
        return release_rows(rows), -1;
    rows->taken = 3;
    return 0;
}

/* run(rows, state, x, y | None, levels | None, min_level, logit_bias): many steps of one stream, without the GIL */
static PyObject *model_run(Model *self, PyObject *args)
{
    PyObject *state_object, *x, *y, *levels, *result = NULL;
    Py_buffer state;
    Py_ssize_t count;
    Rows rows;
    int min_level;
    float logit_bias;
    if (!PyArg_ParseTuple(args, "nOOOOif", &count, &state_object, &x, &y, &levels, &min_level, &logit_bias))
        return NULL;
    if (count < 0 || count > PY_SSIZE_T_MAX / (4 * VCE_MAX_SIZE))
        return PyErr_Format(PyExc_ValueError, "rows: %zd", count);
    Py_ssize_t words = (Py_ssize_t)(vce_state_size(&self->cell) / sizeof(float));
    if (take_floats(state_object, &state, "state", words, 1) < 0)
        return NULL;
    if (take_rows(&rows, &self->cell.shape, count, x, y, levels) == 0) {
        void *scratch = aligned_memory(vce_scratch_size(&self->cell, 1));
        if (scratch) {
            Py_BEGIN_ALLOW_THREADS
            vce_run(&self->cell, state.buf, scratch, count, rows.x.buf, rows.y.buf, rows.levels.buf, min_level,
                    logit_bias);
            Py_END_ALLOW_THREADS
            free(scratch);
            result = Py_NewRef(Py_None);
        }
        release_rows(&rows);
    }
    PyBuffer_Release(&state);
    return result;
}

/* step_many(streams, states, x, y | None, levels, min_level, logit_bias): one step of each stream, without the GIL */
static PyObject *model_step_many(Model *self, PyObject *args)
{
    PyObject *states_object, *x, *y, *levels, *result = NULL;
    Py_buffer states;
    Rows rows;
    int streams, min_level;
    float logit_bias;
    if (!PyArg_ParseTuple(args, "iOOOOif", &streams, &states_object, &x, &y, &levels, &min_level, &logit_bias))
        return NULL;
    if (streams < 0 || levels == Py_None)
        return PyErr_Format(PyExc_ValueError, "streams: %d; levels are needed", streams);
    size_t stride = vce_state_size(&self->cell);
    if (take_floats(states_object, &states, "states", (Py_ssize_t)(stride / sizeof(float)) * streams, 1) < 0)
        return NULL;
    if (take_rows(&rows, &self->cell.shape, streams, x, y, levels) == 0) {
        void *scratch = aligned_memory(vce_scratch_size(&self->cell, streams));
        if (scratch) {
            Py_BEGIN_ALLOW_THREADS
            vce_step_many(&self->cell, streams, states.buf, stride, scratch, rows.x.buf, rows.y.buf, rows.levels.buf,
                          min_level, logit_bias);
            Py_END_ALLOW_THREADS
            free(scratch);
            result = Py_NewRef(Py_None);
        }
        release_rows(&rows);
    }
    PyBuffer_Release(&states);
    return result;
}

static PyMethodDef model_methods[] = {
    {"run", (PyCFunction)(void (*)(void))model_run, METH_VARARGS,
     "run(rows, state, x, y, levels, min_level, logit_bias)\n\nMany steps of one stream; y and levels may be None."},
    {"step_many", (PyCFunction)(void (*)(void))model_step_many, METH_VARARGS,
     "step_many(streams, states, x, y, levels, min_level, logit_bias)\n\nOne step of each stream; y may be None."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef model_properties[] = {
    {"state_size", (getter)model_state_size, NULL, "Bytes of one stream's state.", NULL},
    {"shape", (getter)model_shape, NULL, "(gates, inputs, signals, hidden, outputs, levels)", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot model_slots[] = {
    {Py_tp_doc, "Model(packed): a packed model, checked; it stays in the caller's memory."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_methods, model_methods},
    {Py_tp_getset, model_properties},
    {0, NULL},
};

static PyType_Spec model_spec = {"vcedge.runtime._kernel.Model", sizeof(Model), 0, Py_TPFLAGS_DEFAULT, model_slots};
