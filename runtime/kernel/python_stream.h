/* Stream: a model bound to one state and one output, so that a step costs one call and no argument but the sample. */
#include "python_model.h"

typedef struct {
    PyObject_HEAD
    Model *model;
    Py_buffer state, out, x; /* x: the last sample's array, kept so that the same one is not asked for again */
    void *scratch;
    int taken, min_level;
    float logit_bias;
} Stream;

static void stream_dealloc(Stream *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    if (self->x.obj)
        PyBuffer_Release(&self->x);
    if (self->taken > 1)
        PyBuffer_Release(&self->out);
    if (self->taken > 0)
        PyBuffer_Release(&self->state);
    free(self->scratch);
    Py_XDECREF((PyObject *)self->model);
    release(self);
    Py_DECREF(type);
}

static int stream_bind(Stream *self, PyObject *state, PyObject *out)
{
    const vce_cell *cell = &self->model->cell;
    Py_ssize_t words = (Py_ssize_t)(vce_state_size(cell) / sizeof(float));
    if (take_floats(state, &self->state, "state", words, 1) < 0)
        return -1;
    self->taken = 1;
    if (take_floats(out, &self->out, "out", cell->shape.outputs, 1) < 0)
        return -1;
    self->taken = 2;
    if (overlap(&self->state, &self->out) || overlap(&self->state, &self->model->memory) ||
        overlap(&self->out, &self->model->memory)) {
        PyErr_SetString(PyExc_ValueError, "state, out and model share memory");
        return -1;
    }
    self->scratch = aligned_memory(vce_scratch_size(cell, 1));
    return self->scratch ? 0 : -1;
}

static PyObject *stream_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *state, *out, *model;
    PyObject *model_type = PyObject_GetAttrString((PyObject *)type, "_model_type");
    if (!model_type)
        return NULL;
    int parsed = PyArg_ParseTuple(args, "O!OO:Stream", model_type, &model, &state, &out);
    Py_DECREF(model_type);
    if (!parsed)
        return NULL;
    if (keywords && PyDict_Size(keywords)) {
        PyErr_SetString(PyExc_TypeError, "Stream takes a model, a state and an output, in this order");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Stream *self = (Stream *)allocate(type, 0);
    if (!self)
        return NULL;
    self->model = (Model *)Py_NewRef(model);
    self->min_level = 1;
    if (stream_bind(self, state, out) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int take_sample(Stream *self, PyObject *x)
{
    Py_buffer view;
    if (take_floats(x, &view, "x", self->model->cell.shape.signals, 0) < 0)
        return -1;
    if (overlap(&view, &self->state) || overlap(&view, &self->out)) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "x shares memory with state or out");
        return -1;
    }
    if (self->x.obj)
        PyBuffer_Release(&self->x);
    self->x = view;
    return 0;
}

static PyObject *stream_step(Stream *self, PyObject *x)
{
    if (x != self->x.obj && take_sample(self, x) < 0)
        return NULL;
    int level = vce_step(&self->model->cell, self->state.buf, self->scratch, self->x.buf, self->out.buf, self->min_level,
                         self->logit_bias);
    return PyLong_FromLong(level);
}

static PyObject *stream_policy(Stream *self, PyObject *args)
{
    if (!PyArg_ParseTuple(args, "if:policy", &self->min_level, &self->logit_bias))
        return NULL;
    return Py_NewRef(Py_None);
}

static PyMethodDef stream_methods[] = {
    {"step", (PyCFunction)(void (*)(void))stream_step, METH_O,
     "step(x)\n\nOne step on the float32 array x (signals,): changes state and out, returns the level."},
    {"policy", (PyCFunction)(void (*)(void))stream_policy, METH_VARARGS,
     "policy(min_level, logit_bias)\n\nThe compute policy of the steps that follow; (1, 0.0) at first."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, "Stream(model, state, out): one stream's memory, bound for steps."},
    {Py_tp_new, stream_new},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_methods, stream_methods},
    {0, NULL},
};

static PyType_Spec stream_spec = {"vcedge.runtime._kernel.Stream", sizeof(Stream), 0, Py_TPFLAGS_DEFAULT, stream_slots};
