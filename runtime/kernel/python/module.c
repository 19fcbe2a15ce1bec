/* The extension vcedge.runtime._kernel: the kernel's functions for Python, on the caller's arrays. */
#include "python/stream.inc"
#include "python/rows.inc"
#include "python/layout.inc"
#include "python/unroll.inc"

static PyObject *py_isas(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *dict = PyDict_New();
    for (int isa = 0; dict && isa < VCE_ISAS; isa++) {
        if (!vce_isa_available(isa))
            continue;
        PyObject *number = PyLong_FromLong(isa);
        if (!number || PyDict_SetItemString(dict, vce_isa_name(isa), number) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(number);
    }
    return dict;
}

static PyObject *py_best(PyObject *module, PyObject *args)
{
    int int8 = 0;
    (void)module;
    return PyArg_ParseTuple(args, "|p", &int8) ? PyUnicode_FromString(vce_isa_name(vce_isa_best(int8))) : NULL;
}

static PyObject *py_width(PyObject *module, PyObject *args)
{
    int isa;
    (void)module;
    return PyArg_ParseTuple(args, "i", &isa) ? PyLong_FromLong(vce_width(isa)) : NULL;
}

static PyObject *py_probe_read(PyObject *module, PyObject *args)
{
    PyObject *object;
    Py_buffer memory;
    int isa;
    long long times;
    (void)module;
    if (!PyArg_ParseTuple(args, "iOL", &isa, &object, &times) ||
        take_array(object, &memory, "memory", "f", sizeof(float), -1, 0) < 0)
        return NULL;
    float sum = 0;
    int fits = memory.len % 1024 == 0 && (uintptr_t)memory.buf % VCE_ALIGN == 0;
    if (fits)
        sum = vce_probe_read(isa, memory.buf, (size_t)memory.len, times);
    PyBuffer_Release(&memory);
    if (!fits)
        return PyErr_Format(PyExc_ValueError, "memory: not aligned to 64 bytes, or not a multiple of 1024 bytes");
    return PyFloat_FromDouble((double)sum);
}

static PyObject *py_probe_fma(PyObject *module, PyObject *args)
{
    int isa;
    long long times;
    (void)module;
    return PyArg_ParseTuple(args, "iL", &isa, &times) ? PyFloat_FromDouble((double)vce_probe_fma(isa, times)) : NULL;
}

static PyMethodDef functions[] = {
    {"isas", py_isas, METH_NOARGS, "isas()\n\nInstruction sets of this build and CPU: name to number."},
    {"best", py_best, METH_VARARGS, "best(int8=False)\n\nName of the fastest instruction set."},
    {"width", py_width, METH_VARARGS, "width(isa)\n\nFloats of one of its vectors."},
    {"model_size", py_model_size, METH_VARARGS, "model_size(shape, isa)\n\nBytes of a packed model; 0: impossible."},
    {"pack", py_pack, METH_VARARGS,
     "pack(shape, isa, model, gate_bias, boundaries, thresholds, recurrent, input, bias, reset_bias, gate_hidden, "
     "gate_input, head, head_bias)\n\nPack weights into the bytes of `model`."},
    {"detector_size", py_detector_size, METH_VARARGS,
     "detector_size(shape, isa, cell_bytes)\n\nBytes of a packed detector; 0: impossible."},
    {"detector_pack", py_detector_pack, METH_VARARGS,
     "detector_pack(shape, isa, model, clip, surprise_limit, sections, cell)\n\nPack a detector around a packed cell."},
    {"layout", py_layout, METH_NOARGS, "layout()\n\nThe records, arrays and enumerations that Python and C share."},
    {"score_lines", py_score_lines, METH_VARARGS,
     "score_lines(rows, start, stop, arrays, channels, names, hidden, numbered)\n\nLines of scores.csv, and the first "
     "row "
     "that is left."},
    {"probe_read", py_probe_read, METH_VARARGS, "probe_read(isa, memory, times)\n\nRead memory, times over."},
    {"probe_fma", py_probe_fma, METH_VARARGS, "probe_fma(isa, times)\n\n64 vector multiply-adds, times over."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    PyObject *model = PyType_FromModuleAndSpec(module, &model_spec, NULL);
    PyObject *stream = PyType_FromModuleAndSpec(module, &stream_spec, NULL);
    PyObject *detector = PyType_FromModuleAndSpec(module, &detector_spec, NULL);
    PyObject *unroll = PyType_FromModuleAndSpec(module, &unroll_spec, NULL);
    int failed =
        !model || !stream || !detector || !unroll || PyObject_SetAttrString(module, "Detector", detector) < 0 ||
        PyObject_SetAttrString(module, "Unroll", unroll) < 0 ||
        PyObject_SetAttrString(stream, "_model_type", model) < 0 ||
        PyObject_SetAttrString(module, "Model", model) < 0 || PyObject_SetAttrString(module, "Stream", stream) < 0 ||
        PyModule_AddIntConstant(module, "ALIGN", VCE_ALIGN) < 0;
    Py_XDECREF(model);
    Py_XDECREF(stream);
    Py_XDECREF(detector);
    Py_XDECREF(unroll);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_kernel",
    "The native kernel: see runtime/kernel/vcedge.h.",
    0,
    functions,
    slots,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__kernel(void);
PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&definition); }
