/* Packing from Python's arrays. */
#include "python_buffers.h"
#include "vcedge.h"

static int read_shape(PyObject *tuple, vce_shape *shape)
{
    return PyArg_ParseTuple(tuple, "iiiiii;shape: (gates, inputs, signals, hidden, outputs, levels)", &shape->gates,
                            &shape->inputs, &shape->signals, &shape->hidden, &shape->outputs, &shape->levels);
}

static PyObject *py_model_size(PyObject *module, PyObject *args)
{
    PyObject *tuple;
    vce_shape shape;
    int isa;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!i", &PyTuple_Type, &tuple, &isa) || !read_shape(tuple, &shape))
        return NULL;
    return PyLong_FromSize_t(vce_model_size(&shape, isa));
}

/* pack(shape, isa, model, gate_bias, boundaries, thresholds, recurrent, input, bias, reset_bias, gate_hidden,
 * gate_input, head, head_bias) */
static PyObject *py_pack(PyObject *module, PyObject *args)
{
    enum { ARRAYS = 10 };
    static const char *const names[ARRAYS] = {"boundaries",  "thresholds", "recurrent", "input", "bias", "reset_bias",
                                              "gate_hidden", "gate_input", "head",      "head_bias"};
    PyObject *tuple, *model, *given[ARRAYS], *result = NULL;
    Py_buffer into, views[ARRAYS];
    vce_shape s;
    int isa, taken = 0;
    double gate_bias;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!iOdOOOOOOOOOO", &PyTuple_Type, &tuple, &isa, &model, &gate_bias, given, given + 1,
                          given + 2, given + 3, given + 4, given + 5, given + 6, given + 7, given + 8, given + 9) ||
        !read_shape(tuple, &s))
        return NULL;
    if (!vce_model_size(&s, isa))
        return PyErr_Format(PyExc_ValueError, "shape: %s", vce_error_text(VCE_BAD_SHAPE));
    if (take_array(model, &into, "model", "", 1, -1, 1) < 0)
        return NULL;

    Py_ssize_t D = s.hidden, gates = s.gates;
    const Py_ssize_t counts[ARRAYS] = {s.levels, s.levels - 1, gates * D * D, gates * D * s.inputs, gates * D,
                                       gates == 3 ? D : 0, D,          s.signals,     s.outputs * D,        s.outputs};
    for (; taken < ARRAYS; taken++) {
        const char *format = taken == 0 ? "i" : taken == 1 ? "d" : "f";
        Py_ssize_t itemsize = taken == 1 ? 8 : 4;
        if (take_array(given[taken], views + taken, names[taken], format, itemsize, counts[taken], 0) < 0)
            goto done;
    }
    vce_weights weights = {views[0].buf, views[1].buf, views[2].buf, views[3].buf, views[4].buf,    views[5].buf,
                           views[6].buf, views[7].buf, views[8].buf, views[9].buf, (float)gate_bias};
    int error = vce_pack(&s, &weights, isa, into.buf, (size_t)into.len);
    if (error)
        PyErr_Format(PyExc_ValueError, "model: %s", vce_error_text(error));
    else
        result = Py_NewRef(Py_None);
done:
    while (taken > 0)
        PyBuffer_Release(views + --taken);
    PyBuffer_Release(&into);
    return result;
}
