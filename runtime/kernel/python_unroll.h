/* Unroll: the arrays of one window of a training, bound; forward(i) and backward(i) are then quick calls. */
#include "python_buffers.h"
#include "unroll.h"
#include "vcedge.h"

typedef struct {
    PyObject_HEAD
    vce_unroll unroll;
    const struct vce_unroll_ops *ops;
    int taken; /* how many of the views are held */
    Py_buffer views[VCE_UNROLL_ALL];
} Unroll;

/* The arrays' pointers, checked against the sizes. */
static int take_unroll_arrays(Unroll *self, PyObject *arrays, int doubles)
{
    vce_unroll *u = &self->unroll;
    Py_ssize_t T = u->steps, B = u->batch, D = u->hidden, G = u->gates, J = u->blocks;
    Py_ssize_t given = PyTuple_Size(arrays), itemsize = doubles ? sizeof(double) : sizeof(float);
    if (given != VCE_UNROLL_FORWARD && given != VCE_UNROLL_ALL)
        return PyErr_Format(PyExc_ValueError, "%zd arrays, expected %d or %d", given, VCE_UNROLL_FORWARD, VCE_UNROLL_ALL), -1;
#define VCE_TAKE(name, kind, size)                                                                                     \
    if (self->taken < given) {                                                                                         \
        int whole = kind == 'i';                                                                                       \
        if (take_array(PyTuple_GetItem(arrays, self->taken), &self->views[self->taken], #name,                         \
                       whole ? "i" : doubles ? "d" : "f", whole ? 4 : itemsize, size, kind == 'w') < 0)                \
            return -1;                                                                                                 \
        u->name = self->views[self->taken++].buf;                                                                      \
    }
    VCE_UNROLL_ARRAYS(VCE_TAKE)
#undef VCE_TAKE
    const int32_t *starts = u->starts;
    for (Py_ssize_t j = 0; j <= J; j++)
        if (starts[j] < (j ? starts[j - 1] : 0) || starts[j] > D || (j == J && starts[j] != D))
            return PyErr_Format(PyExc_ValueError, "starts: item %zd is %d, expected to increase to %zd", j, starts[j], D), -1;
    return 0;
}

/* Unroll(isa, (steps, batch, hidden, gates, blocks, hard), sharpness, eps, arrays) */
static PyObject *unroll_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    vce_unroll u = {0};
    PyObject *arrays;
    long long steps, batch, hidden;
    int isa;
    if (keywords && PyDict_Size(keywords))
        return PyErr_SetString(PyExc_TypeError, "Unroll takes no keywords"), NULL;
    if (!PyArg_ParseTuple(args, "i(LLLiip)ddO!:Unroll", &isa, &steps, &batch, &hidden, &u.gates, &u.blocks, &u.hard,
                          &u.sharpness, &u.eps, &PyTuple_Type, &arrays))
        return NULL;
    if (steps < 0 || batch < 0 || hidden < 1 || hidden > VCE_MAX_SIZE || u.blocks < 0 || u.blocks > hidden ||
        (u.gates != 1 && u.gates != 3) || batch > PY_SSIZE_T_MAX / (32 * VCE_MAX_SIZE) ||
        steps > PY_SSIZE_T_MAX / (32 * VCE_MAX_SIZE) / (batch ? batch : 1))
        return PyErr_Format(PyExc_ValueError, "sizes (%lld, %lld, %lld, %d, %d) are not possible", steps, batch, hidden,
                            u.gates, u.blocks);
    u.steps = steps, u.batch = batch, u.hidden = hidden;
    const struct vce_unroll_ops *ops = vce_unroll_ops_of(isa);
    if (!ops)
        return PyErr_Format(PyExc_ValueError, "isa %d: not on this CPU, or not for training", isa);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Unroll *self = (Unroll *)allocate(type, 0);
    if (!self)
        return NULL;
    self->unroll = u;
    self->ops = ops;
    if (take_unroll_arrays(self, arrays, isa == VCE_STRICT) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void unroll_dealloc(Unroll *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    while (self->taken)
        PyBuffer_Release(&self->views[--self->taken]);
    release(self);
    Py_DECREF(type);
}

static PyObject *unroll_call(Unroll *self, PyObject *index, int backward)
{
    Py_ssize_t i = PyLong_AsSsize_t(index);
    if (i == -1 && PyErr_Occurred())
        return NULL;
    if (i < 0 || i > self->unroll.steps || (backward && self->taken != VCE_UNROLL_ALL))
        return PyErr_Format(PyExc_ValueError, "step %zd is not one of this window", i);
    (backward ? self->ops->backward : self->ops->forward)(&self->unroll, i);
    return Py_NewRef(Py_None);
}

static PyObject *unroll_py_forward(Unroll *self, PyObject *index) { return unroll_call(self, index, 0); }
static PyObject *unroll_py_backward(Unroll *self, PyObject *index) { return unroll_call(self, index, 1); }

static PyMethodDef unroll_methods[] = {
    {"forward", (PyCFunction)(void (*)(void))unroll_py_forward, METH_O,
     "forward(i)\n\nEnd step i - 1, from its products, and begin step i."},
    {"backward", (PyCFunction)(void (*)(void))unroll_py_backward, METH_O,
     "backward(i)\n\nEnd the gradient of step i and begin that of step i - 1."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot unroll_slots[] = {
    {Py_tp_doc, "Unroll(isa, sizes, sharpness, eps, arrays): a window of a training; see runtime/kernel/unroll.h."},
    {Py_tp_new, unroll_new},
    {Py_tp_dealloc, unroll_dealloc},
    {Py_tp_methods, unroll_methods},
    {0, NULL},
};

static PyType_Spec unroll_spec = {"vcedge.runtime._kernel.Unroll", sizeof(Unroll), 0, Py_TPFLAGS_DEFAULT, unroll_slots};
