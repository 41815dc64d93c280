# A part of `_executor.pyx`: from Python's arguments to columns and numbers, and results back.

from cpython.buffer cimport PyBuffer_IsContiguous
from cpython.dict cimport PyDict_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check, PyFloat_CheckExact
from cpython.list cimport PyList_Check
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.tuple cimport PyTuple_Check

import numpy

from autograd_engine.conversion import number as _number
from autograd_engine.templates import batch_of, is_nested_rows, parts_of, targets

ctypedef double (*NumberOf)(PyObject *value) noexcept

cdef object _array = numpy.ndarray, _empty = numpy.empty
cdef enum Kind:
    NUMBER, VALUE, ARRAY, ROWS, NESTED_ROWS, LIST, TUPLE, DICT, OBJECTS

_KINDS = {
    "number": NUMBER, "value": VALUE, "array": ARRAY, "rows": ROWS, "nested rows": NESTED_ROWS,
    "list": LIST, "tuple": TUPLE, "dict": DICT, "objects": OBJECTS,
}


cdef class Place:
    """A template (`templates.py`), for C."""

    cdef Kind kind
    cdef tuple shape, keys, children
    cdef Py_ssize_t size, arrays
    cdef object type

    def __cinit__(self, template):
        self.kind, self.shape, self.keys = _KINDS[template.kind], template.shape, template.keys
        self.children = tuple([Place(child) for child in template.children])
        self.type, self.size, self.arrays = template.type, 1, 0
        for length in self.shape:
            self.size *= length
        if self.kind in (ARRAY, ROWS, NESTED_ROWS):
            self.arrays = 1
        for child in self.children:
            self.arrays += (<Place> child).arrays


cdef struct Call:
    ae_workspace *w
    Py_ssize_t inputs, columns, n  # so many are read; n is -1 before the first batch
    Py_buffer *buffers
    Py_ssize_t opened


cdef class Caller:
    """An executor, called as the function that it computes.

    Parameters
    ----------
    executor : Executor
    arguments : sequence of Template
    result : Template
    outputs : sequence of (int, bool)
        For each number in the result, its slot, or its column among the lane outputs.
    captured : tuple of Value
        The inputs behind those that the arguments give.
    number_of : capsule or None
        The function of the native engine that reads a Value.
    threads : int
    mismatch : object
        What a call returns for arguments of another structure.
    """

    cdef Executor executor
    cdef list arguments, leaves
    cdef Place result
    cdef tuple captured
    cdef NumberOf number_of
    cdef object value_type, mismatch, template
    cdef Py_ssize_t threads, arrays, slots_count
    cdef int *slots  # of the results; -1 for one of the lanes
    cdef bint batched

    def __cinit__(
        self, Executor executor, arguments, result, outputs, tuple captured, value_type, number_of,
        Py_ssize_t threads, mismatch,
    ):
        cdef Py_ssize_t i
        self.executor, self.captured, self.value_type = executor, captured, value_type
        self.arguments = [Place(template) for template in arguments]
        self.result, self.threads, self.mismatch = Place(result), threads, mismatch
        self.leaves, self.template = leaf_places(self.result), result
        self.number_of = NULL
        if number_of is not None:
            self.number_of = <NumberOf> PyCapsule_GetPointer(number_of, "autograd_engine.number_of")
        self.arrays = 0
        for place in self.arguments:
            self.arrays += (<Place> place).arrays
        self.batched = executor.plan.in_columns > 0
        self.slots_count = len(outputs)
        self.slots = <int *> malloc((self.slots_count + 1) * sizeof(int))
        if self.slots == NULL:
            raise MemoryError
        for i, (slot, is_lane) in enumerate(outputs):
            self.slots[i] = -1 if is_lane else slot

    def __dealloc__(self):
        free(self.slots)

    def __call__(self, tuple args, out=None):
        """The result, or `mismatch`; it fills `out` and returns that, where it is given."""
        cdef Call call
        cdef Py_ssize_t i
        cdef list lanes
        cdef bint shadow = False
        if len(args) != len(self.arguments):
            return self.mismatch
        call.inputs = call.columns = call.opened = 0
        call.n = -1
        call.buffers = NULL
        call.w = self.executor.take()
        try:
            if self.arrays:
                call.buffers = <Py_buffer *> malloc(self.arrays * sizeof(Py_buffer))
                if call.buffers == NULL:
                    raise MemoryError
            for i in range(len(args)):
                if not self.read(<Place> self.arguments[i], args[i], &call):
                    return self.mismatch
            for value in self.captured:
                self.put(&call, self.number(value))
            if not self.batched:
                call.n = 1
            given = None if out is None else self.given(call.n, out, &call, &shadow)
            lanes = self.lane_arrays(call.w, call.n, given)
            self.executor.execute(call.w, call.n, self.threads)
            if given is not None:
                self.fill(call.w, given)
                if shadow:
                    for target, array in zip(parts_of(out, self.template), given):
                        target[...] = array
                return out
            i = 0
            lanes.reverse()
            return self.built(self.result, call.w, &i, lanes)
        finally:
            for i in range(call.opened):
                PyBuffer_Release(&call.buffers[i])
            free(call.buffers)
            self.executor.give(call.w)

    cdef inline void put(self, Call *call, double x) noexcept:
        call.w.u[self.executor.first_input + call.inputs] = x
        call.inputs += 1

    cdef inline double number(self, value) except? -1.0:
        """The number of a Value."""
        return self.number_of(<PyObject *> value) if self.number_of != NULL else value._number

    cdef bint read(self, Place place, x, Call *call) except -1:
        """An argument into the workspace; False where its structure is another one."""
        cdef Py_ssize_t i
        if place.kind == NUMBER:
            if PyFloat_CheckExact(x):
                self.put(call, PyFloat_AS_DOUBLE(x))
                return True
            return self.read_number(x, call)
        if place.kind == VALUE:
            if type(x) is not self.value_type:
                return False
            self.put(call, self.number(x))
            return True
        if place.kind == ARRAY:
            return self.read_array(place, x, call)
        if place.kind == ROWS or place.kind == NESTED_ROWS:
            return self.read_rows(place, x, call)
        if place.kind == OBJECTS:
            if not isinstance(x, _array) or x.dtype.kind != "O" or x.shape != place.shape:
                return False
            x = list(x.flat)
        elif place.kind == DICT:
            if not PyDict_Check(x) or tuple(x) != place.keys:
                return False
            x = list(x.values())
        elif place.kind == LIST:
            if not PyList_Check(x):
                return False
            x = tuple(x)  # which nobody can change while it is read
        elif not (type(x) is tuple if place.type is None else type(x) is place.type):
            return False
        if len(x) != len(place.children):
            return False
        for i in range(len(place.children)):
            if not self.read(<Place> place.children[i], x[i], call):
                return False
        return True

    cdef bint read_number(self, x, Call *call) except -1:
        if PyLong_CheckExact(x) or PyFloat_Check(x):
            try:
                self.put(call, x)
            except OverflowError:
                return False
            return True
        if hasattr(x, "bind"):
            return False
        try:
            self.put(call, _number(x, "compile"))
        except (TypeError, ValueError):
            return False
        return True

    cdef Py_buffer *opened(self, x, Call *call, Py_ssize_t least) except? NULL:
        """The buffer of an array of doubles, until the end of the call; NULL for other things."""
        cdef Py_buffer *buffer = &call.buffers[call.opened]
        if type(x) is not _array:
            if getattr(x, "ndim", None) is None or isinstance(x, numpy.ma.MaskedArray):
                return NULL
            x = numpy.asarray(x)
        try:
            PyObject_GetBuffer(x, buffer, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
        except (ValueError, BufferError):  # such as dates
            return NULL
        call.opened += 1
        if buffer.ndim < least:
            return NULL
        if buffer.format[0] == b"d" and buffer.format[1] == 0:
            return buffer
        call.opened -= 1
        PyBuffer_Release(buffer)
        if x.dtype.kind not in "biuf":
            return NULL
        return self.opened(x.astype(float), call, least)

    cdef bint read_array(self, Place place, x, Call *call) except -1:
        cdef Py_buffer *buffer = self.opened(x, call, 0)
        cdef Py_ssize_t axis, step = 8
        if buffer == NULL or buffer.ndim != len(place.shape):
            return False
        for axis in range(buffer.ndim - 1, -1, -1):
            if buffer.shape[axis] != <Py_ssize_t> place.shape[axis]:
                return False
            if buffer.strides[axis] != step and buffer.shape[axis] > 1:
                call.opened -= 1
                PyBuffer_Release(buffer)
                return self.read_array(place, numpy.ascontiguousarray(x, float), call)
            step *= buffer.shape[axis]
        memcpy(call.w.u + self.executor.first_input + call.inputs, buffer.buf, place.size * 8)
        call.inputs += place.size
        return True

    cdef bint read_rows(self, Place place, x, Call *call) except -1:
        cdef Py_buffer *buffer
        cdef Py_ssize_t k
        if place.kind == NESTED_ROWS:
            if hasattr(x, "ndim") or not is_nested_rows(x):
                return False
            try:
                x = batch_of(x, "an argument")
            except (TypeError, ValueError):  # said again, with the name
                return False
        buffer = self.opened(x, call, 1)
        if buffer == NULL or buffer.ndim != 1 + len(place.shape) or buffer.shape[0] == 0:
            return False
        for k in range(1, buffer.ndim):
            if buffer.shape[k] != <Py_ssize_t> place.shape[k - 1]:
                return False
        if call.n < 0:
            call.n = buffer.shape[0]
        elif call.n != buffer.shape[0]:
            return False
        for k in range(place.size):
            call.w.in_[call.columns] = ae_column(
                <char *> buffer.buf + inner_offset(buffer, k, 1), buffer.strides[0]
            )
            call.columns += 1
        return True

    cdef list lane_arrays(self, ae_workspace *w, Py_ssize_t n, given):
        """The arrays for results of every lane, in order; the columns lead into them."""
        cdef list found = []
        cdef Py_ssize_t column = 0, at = 0, k
        cdef Py_buffer view
        cdef Place place
        if not self.executor.plan.out_columns:
            return found
        for i, leaf in enumerate(self.leaves):
            place = leaf
            if place.size and self.slots[at] < 0:
                array = _empty((n, *place.shape)) if given is None else given[i]
                found.append(array)
                PyObject_GetBuffer(array, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES | PyBUF_WRITABLE)
                for k in range(place.size):
                    w.out[column] = ae_column(
                        <char *> view.buf + inner_offset(&view, k, 1), view.strides[0]
                    )
                    column += 1
                PyBuffer_Release(&view)  # the array outlives the call
            at += place.size
        return found

    cdef built(self, Place place, ae_workspace *w, Py_ssize_t *at, list lanes):
        """A part of the result; `at` counts its numbers."""
        cdef Py_ssize_t k
        cdef Py_buffer view
        cdef list parts
        if place.size and place.kind <= ARRAY and self.slots[at[0]] < 0:
            at[0] += place.size
            return lanes.pop()
        if place.kind == NUMBER:
            at[0] += 1
            return w.u[self.slots[at[0] - 1]]
        if place.kind == ARRAY:
            array = _empty(place.shape)
            if place.size:
                PyObject_GetBuffer(array, &view, PyBUF_WRITABLE)
                for k in range(place.size):
                    (<double *> view.buf)[k] = w.u[self.slots[at[0] + k]]
                PyBuffer_Release(&view)
            at[0] += place.size
            return array
        parts = []
        for child in place.children:
            parts.append(self.built(<Place> child, w, at, lanes))
        if place.kind == LIST:
            return parts
        if place.kind == DICT:
            return dict(zip(place.keys, parts))
        return place.type(*parts) if place.type is not None else tuple(parts)

    cdef list given(self, Py_ssize_t n, out, Call *call, bint *shadow):
        """The arrays in `out`; others in their place where they overlap with a batch."""
        cdef list found = [], shapes = []
        cdef Py_ssize_t at = 0, i
        cdef bint fits = True
        if not collect(self.result, out, found):
            found = parts_of(out, self.template)
        for i in range(len(found)):
            shape = (<Place> self.leaves[i]).shape
            if (<Place> self.leaves[i]).size and self.slots[at] < 0:
                shape = (n, *shape)
            fits = fits and is_target(found[i], shape)
            shapes.append(shape)
            at += (<Place> self.leaves[i]).size
        if not fits or any_overlap(found, NULL, 0):
            targets(shapes, found)
        shadow[0] = any_overlap(found, call.buffers, call.opened)
        if shadow[0]:
            return [_empty(shape) for shape in shapes]
        return found

    cdef int fill(self, ae_workspace *w, list given) except -1:
        """The uniform results into the arrays of `out`."""
        cdef Py_ssize_t at = 0, k, offset
        cdef bint contiguous
        cdef Py_buffer view
        cdef Place place
        for leaf, array in zip(self.leaves, given):
            place = leaf
            if place.size and self.slots[at] >= 0:
                PyObject_GetBuffer(array, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES | PyBUF_WRITABLE)
                contiguous = PyBuffer_IsContiguous(&view, b"C")
                for k in range(place.size):
                    offset = 8 * k if contiguous else inner_offset(&view, k, 0)
                    (<double *> (<char *> view.buf + offset))[0] = w.u[self.slots[at + k]]
                PyBuffer_Release(&view)
            at += place.size
        return 0


cdef Py_ssize_t inner_offset(Py_buffer *view, Py_ssize_t k, int first) noexcept:
    """Where the k-th element lies, counted over the axes from `first` on."""
    cdef Py_ssize_t offset = 0, axis
    for axis in range(view.ndim - 1, first - 1, -1):
        offset += k % view.shape[axis] * view.strides[axis]
        k //= view.shape[axis]
    return offset


cdef bint collect(Place place, out, list found) except -1:
    """As `parts_of` in `templates.py`; False where the structure is another one, or in disorder."""
    cdef Py_ssize_t i
    if place.kind == NUMBER or place.kind == ARRAY:
        found.append(out)
        return not (PyList_Check(out) or PyTuple_Check(out) or PyDict_Check(out))
    if place.kind == DICT:
        if not PyDict_Check(out) or tuple(out) != place.keys:
            return False
        out = tuple(out.values())
    elif not (PyList_Check(out) or PyTuple_Check(out)) or len(out) != len(place.children):
        return False
    for i in range(len(place.children)):
        if not collect(<Place> place.children[i], out[i], found):
            return False
    return True


cdef bint any_overlap(list arrays, Py_buffer *others, Py_ssize_t count) except -1:
    """Whether arrays may share memory, with the others or, where there are none, each other."""
    cdef Py_buffer view
    cdef list ranges = []
    cdef Py_ssize_t i
    cdef char *low
    cdef char *high
    for x in arrays:
        PyObject_GetBuffer(x, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
        span(&view, &low, &high)
        PyBuffer_Release(&view)
        ranges.append((<size_t> low, <size_t> high))
    if others == NULL:
        ranges.sort()
        for i in range(1, len(ranges)):
            if ranges[i][0] < ranges[i - 1][1]:
                return True
    for i in range(count):
        span(&others[i], &low, &high)
        for first, last in ranges:
            if first < <size_t> high and <size_t> low < last:
                return True
    return False


cdef void span(Py_buffer *view, char **low, char **high) noexcept:
    """The memory from the first to the last element of a buffer."""
    cdef Py_ssize_t axis, step
    low[0] = <char *> view.buf
    high[0] = low[0] + view.itemsize
    for axis in range(view.ndim):
        step = (view.shape[axis] - 1) * view.strides[axis]
        if view.shape[axis] == 0:
            high[0] = low[0]
            return
        if step < 0:
            low[0] += step
        else:
            high[0] += step


cdef bint is_target(x, tuple shape) except -1:
    """Whether an array can be filled with a result of this shape."""
    cdef Py_buffer view
    cdef Py_ssize_t axis
    cdef bint fits
    if type(x) is not _array:
        return False
    try:
        PyObject_GetBuffer(x, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES | PyBUF_WRITABLE)
    except (ValueError, BufferError):
        return False
    fits = view.format[0] == b"d" and view.format[1] == 0 and view.ndim == len(shape)
    for axis in range(view.ndim):
        fits = fits and view.shape[axis] == <Py_ssize_t> shape[axis]
    PyBuffer_Release(&view)
    return fits


cdef list leaf_places(Place place):
    """The numbers and arrays of a result, in order."""
    cdef list found
    if place.kind == NUMBER or place.kind == ARRAY:
        return [place]
    found = []
    for child in place.children:
        found += leaf_places(<Place> child)
    return found
