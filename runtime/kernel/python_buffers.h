/* Arrays of the caller as pointers: C-contiguous, of one format, of a known size. */
#ifndef VCE_PYTHON_BUFFERS_H
#define VCE_PYTHON_BUFFERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* Fill `view` with `count` items of `format` ("f", "d", "i", "q", "B"; "" for any bytes); count -1: any. 0, or -1 with an
 * error that names the argument. */
static int take_array(PyObject *object, Py_buffer *view, const char *name, const char *format, Py_ssize_t itemsize,
                      Py_ssize_t count, int writable)
{
    int flags = PyBUF_C_CONTIGUOUS | (*format ? PyBUF_FORMAT : 0) | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0)
        return -1;
    const char *found = view->format;
    if (found && *format == 'q' && sizeof(long) == 8 && !strcmp(found, "l"))
        found = "q"; /* numpy's name of int64 where a long is one */
    if (*format && (view->itemsize != itemsize || !found || strcmp(found, format)))
        PyErr_Format(PyExc_TypeError, "%s: items of format '%s', expected '%s'", name, view->format, format);
    else if (count >= 0 && view->len != count * itemsize)
        PyErr_Format(PyExc_ValueError, "%s: %zd bytes, expected %zd", name, view->len, count * itemsize);
    else if ((uintptr_t)view->buf % (size_t)itemsize)
        PyErr_Format(PyExc_ValueError, "%s: not aligned to %zd bytes", name, itemsize);
    else
        return 0;
    PyBuffer_Release(view);
    return -1;
}

static int take_floats(PyObject *object, Py_buffer *view, const char *name, Py_ssize_t count, int writable)
{
    return take_array(object, view, name, "f", sizeof(float), count, writable);
}

static int overlap(const Py_buffer *a, const Py_buffer *b)
{
    const char *x = a->buf, *y = b->buf;
    return a->len > 0 && b->len > 0 && x < y + b->len && y < x + a->len;
}

#endif
