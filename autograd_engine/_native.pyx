# cython: language_level=3, c_api_binop_methods=True, boundscheck=False, wraparound=False
# cython: embedsignature=True, embedsignature.format=clinic
"""The engine in C: the same Value as in `value.py`, more than twenty times as fast.

Read `value.py` first; names and meanings are the same here, and what needs no speed is taken from
there. The arithmetic is `_kernels.h`, which is made from the table of primitives; what is left is
memory. This file has the class, `_nodes.pxi` how its nodes are stored, walked and freed, and
`_operations.pxi` how operations make them.

A node takes 80 bytes. One with one or two operands keeps them, and the local derivatives, in
itself; the place of a plain number among the operands is NULL, and the number stands where the
derivative by it would be, for which nobody asks. Nodes with more operands, and those of rows that
have no kernel because a user wrote them, keep all of it in one block of memory aside (`Many`).

*No node is tracked by the cyclic garbage collector* (`no_gc`), which would otherwise visit every
one of them again and again. That is sound because no reference cycle can pass through a node: its
operands existed before it did, so references among nodes only lead backwards in time; and besides
operands it refers to one primitive, which lives as long as the program anyway, and one Info, which
holds strings and ints. Nobody can add another reference: Value has no `__dict__`, and no
subclasses, whose instances would have one.

Everything here runs while it holds the interpreter's lock, and `backward` runs no Python code
(except under `detect_anomaly`), so that a backward pass happens at once for other threads and for
Ctrl-C, which comes after it.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.dict cimport PyDict_GetItemWithError
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport (
    Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, PyObject, PyObject_RichCompare,
)
from cpython.pycapsule cimport PyCapsule_New
from cpython.set cimport PySet_Contains
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM
from libc.string cimport memcpy

import math
import os
import sys
from numbers import Real

from autograd_engine import modes, value
from autograd_engine.anomalies import check_gradient, inspected, watched
from autograd_engine.conversion import number
from autograd_engine.following import RUNNING as _running, unchanged, unfollowed, unrecorded
from autograd_engine.registry import TABLE, watch
from autograd_engine.rows import NaryPrimitive, Primitive
from autograd_engine.value import constant

cdef extern from "_kernels.h":
    ctypedef struct ae_kernel:
        const char *name
        int arity
        int nary
        void (*run)(Py_ssize_t n, const double *x, double *z, double *d) noexcept
    const ae_kernel *AE_KERNELS
    const char *AE_HASH
    const char *AE_TABLE
    int AE_none, AE_COUNT, AE_add, AE_sub, AE_mul, AE_div, AE_pow, AE_neg, AE_abs

cdef extern from *:
    """
    /* The methods of Value, such as `value.tanh()`: one C function for each row with a kernel. */
    static PyObject *(*ae_make_unary)(PyObject *, int);
    static PyObject *(*ae_make_binary)(PyObject *, PyObject *, int);
    #define AE_METHOD_1(row) static PyObject *ae_method_##row(PyObject *self, PyObject *none) \\
        { return ae_make_unary(self, AE_##row); }
    #define AE_METHOD_2(row) static PyObject *ae_method_##row(PyObject *self, PyObject *other) \\
        { return ae_make_binary(self, other, AE_##row); }
    AE_UNARY(AE_METHOD_1)
    AE_BINARY(AE_METHOD_2)
    #define AE_ENTRY_1(row) [AE_##row] = {#row, ae_method_##row, METH_NOARGS, NULL},
    #define AE_ENTRY_2(row) [AE_##row] = {#row, ae_method_##row, METH_O, NULL},
    typedef char ae_kernels_fit_in_a_mark[AE_COUNT <= 0xFF ? 1 : -1];
    static PyMethodDef AE_METHODS[AE_COUNT] = {AE_UNARY(AE_ENTRY_1) AE_BINARY(AE_ENTRY_2)};

    static PyObject *AE_ROWS[AE_COUNT];  /* the rows of the table that the kernels come from */

    #ifdef __GNUC__  /* have a node at hand that will be needed soon */
    #define ae_prefetch(node) __builtin_prefetch(node, 1)
    #else
    #define ae_prefetch(node) (void) (node)
    #endif

    /* Free nodes, linked by their first word: new memory costs more than what is done with it. */
    static void *ae_free_nodes;
    static Py_ssize_t ae_free_count;

    static PyObject *ae_new_node(PyTypeObject *type, Py_ssize_t none)
    {
        void *node = ae_free_nodes;
        if (node != NULL) {
            ae_free_nodes = *(void **) node;
            ae_free_count--;
            ae_prefetch(ae_free_nodes);
        } else if ((node = PyObject_Malloc(type->tp_basicsize)) == NULL) {
            return PyErr_NoMemory();
        }
        memset(node, 0, type->tp_basicsize);
        return PyObject_Init((PyObject *) node, type);
    }

    static Py_ssize_t ae_kept;  /* how many at most */

    static void ae_free_node(void *node)
    {
        if (ae_free_count >= ae_kept) {
            PyObject_Free(node);
            return;
        }
        *(void **) node = ae_free_nodes;
        ae_free_nodes = node;
        ae_free_count++;
    }

    /* Value is final, but says so in its own words: a subclass may nearly be made, not be used. */
    static newfunc ae_new;
    static PyTypeObject *ae_value;

    static PyObject *ae_new_of_value(PyTypeObject *type, PyObject *args, PyObject *named)
    {
        if (type != ae_value) {
            PyErr_SetString(PyExc_TypeError, "Value is final");
            return NULL;
        }
        return ae_new(type, args, named);
    }

    static void ae_take_memory_of(PyTypeObject *type)
    {
        ae_value = type;
        ae_new = type->tp_new;
        type->tp_new = ae_new_of_value;
        type->tp_alloc = ae_new_node;
        type->tp_free = ae_free_node;
        type->tp_flags |= Py_TPFLAGS_BASETYPE;
    }
    """
    ctypedef struct PyMethodDef:
        const char *ml_doc
    PyMethodDef *AE_METHODS
    PyObject **AE_ROWS
    void ae_prefetch(PyObject *node) noexcept
    void ae_take_memory_of(PyTypeObject *type) noexcept
    Py_ssize_t ae_kept
    object (*ae_make_unary)(object, int)
    object (*ae_make_binary)(object, object, int)

cdef extern from "<fenv.h>":
    int feclearexcept(int) noexcept
    int FE_ALL_EXCEPT

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_call)(object, object, PyObject *)
    bint PyBool_Check(object x) noexcept
    long long PyLong_AsLongLongAndOverflow(object x, int *overflow) except? -1
    object PyDescr_NewMethod(PyTypeObject *type, PyMethodDef *method)
    int PyContextVar_Get(object var, PyObject *default, PyObject **value) except -1
    Py_ssize_t Py_REFCNT(PyObject *x)
    PyTypeObject *Py_TYPE(PyObject *x)
    void Py_INCREF(PyObject *x)
    void Py_DECREF(PyObject *x)
    void Py_XINCREF(PyObject *x)
    void Py_XDECREF(PyObject *x)
    Py_ssize_t PySequence_Fast_GET_SIZE(object sequence)
    PyObject **PySequence_Fast_ITEMS(object sequence)

ctypedef unsigned long long Mark

cdef enum:
    # A node's mark: its kernel (AE_none: a leaf, or a row without kernel), flags, and above that the
    # number of the walk that was here last, or was the last when the node was made. Marks of walks
    # that are over need not be taken away; 2**48 walks take years.
    KERNEL = 0xFF
    MANY = 0x100
    DEPENDS = 0x200  # on the inputs of `path_between`, while that runs
    CONSTANT = 0x400  # nothing below it varies, while `path_between` or `varying` runs
    OLDER = 0x800  # so it varies, and what is below it is not looked at, while they run
    WALK = 0x10000

    KEPT = 1 << 20  # how many free nodes, and places in lists, are kept for the next graph

cdef struct Many:  # the operands of a node with many; in one piece with the two arrays
    Py_ssize_t count
    Py_ssize_t visited  # how many operands the walk has dealt with
    PyObject *row  # where there is no kernel, else NULL
    PyObject **operands  # NULL for a plain number
    double *derivatives  # dz/d(operand), or the plain number

cdef struct Nodes:  # a list
    PyObject **items
    Py_ssize_t count, capacity

cdef struct Mode:  # the mode that was current last, as `modes.py` has it, read for C
    PyObject *known
    bint records, detects
    PyObject *info
    PyObject *recorder  # NULL where nothing is recorded

cdef int MADE = modes.Info._fields.index("made")
cdef Mode mode
cdef object MODE = modes.MODE
cdef set RUNNING = _running
cdef Mark walks = 0
cdef Mark horizon = 0  # nodes made before that walk end this one
cdef Nodes order, path  # of the last walk, kept for the next
cdef dict KERNELS = {}  # row: number of its kernel


@cython.no_gc
@cython.final
@cython.auto_pickle(False)
cdef class Value:
    "Value(data, *, label='')\n--\n\n"  # the signature for `help`; the text comes from `value.py`

    # What a walk and a sweep need of a leaf comes first: with luck it is in one cache line.
    cdef double number
    cdef double adjoint
    cdef Mark mark
    cdef PyObject *info  # label, scope and line of origin, or NULL when there is nothing to say
    cdef double[2] derivatives  # dz/d(operand), or the plain number that is one
    cdef PyObject *operands[2]  # NULL for a plain number; with MANY, [0] is the block

    def __init__(self, data, *, label=""):
        cdef double x = as_float(data, "Value")
        forget(self)  # what it was before, where somebody calls __init__ again
        self.number, self.adjoint = x, 0.0
        enter_mode()
        set_info(self, mode.info)
        if label != "":
            self.label = label

    def __dealloc__(self):
        forget(self)

    @staticmethod
    def bind(row, tuple operands):
        """The node of any primitive on Values and numbers; a number is remembered, but is no node."""
        return bind(row, operands)

    @cython.binding(False)  # so that `Value.backward("x")` is refused
    def backward(self, gradient=1.0):
        """Set `.grad` of nodes below to d self / d node, times `gradient`; leaves add it to theirs.

        Raises
        ------
        TypeError
            When `gradient` is not a real number.
        """
        cdef double start = as_float(gradient, "backward")
        cdef Py_ssize_t i
        enter_mode()
        if mode.detects:
            backward_watched(self, start)
            return
        if len(RUNNING):
            unchanged(self)
        walk(<PyObject *> self, False)
        self.adjoint += start
        for i in range(order.count - 1, -1, -1):
            ae_prefetch(order.items[i - 8 if i > 8 else 0])
            send(order.items[i])
        shrink(&order)

    @cython.binding(False)
    def _backward(self):
        """Add this node's contributions to its operands: one step of `backward`, by hand."""
        enter_mode()
        if mode.detects:
            send_watched((self,))
        else:
            send(<PyObject *> self)

    @cython.binding(False)
    def zero_grad(self):
        """Forget the gradient, before the next `backward` adds to it."""
        if len(RUNNING):
            unchanged(self)
        self.adjoint = 0.0

    @property
    def data(self):
        """The number. Setting it changes no node that was computed from it."""
        return self.number

    @data.setter
    def data(self, data):
        if len(RUNNING):
            unchanged(self)
        self.number = as_float(data, "Value.data")

    @data.deleter
    def data(self):
        raise AttributeError("Value: data cannot be deleted")

    @property
    def grad(self):
        """The adjoint: d output / d self after `output.backward()`; leaves add it up."""
        return self.adjoint

    @grad.setter
    def grad(self, grad):
        if len(RUNNING):
            unchanged(self)
        self.adjoint = as_float(grad, "Value.grad")

    @grad.deleter
    def grad(self):
        raise AttributeError("Value: grad cannot be deleted; zero_grad() forgets it")

    @property
    def _number(self):
        return self.number

    @property
    def _grad(self):
        return self.adjoint

    @property
    def _info(self):
        return None if self.info == NULL else <object> self.info

    @_info.setter
    def _info(self, info):
        if info is not None and (type(info) is not modes.Info or len(info) <= MADE):
            raise TypeError(f"Value: expected an Info, got {info!r}")
        set_info(self, NULL if info is None else <PyObject *> info)

    @property
    def _primitive(self):
        cdef Parts parts = parts_of(self)
        return None if parts.row == NULL else <object> parts.row

    @property
    def _op(self):
        cdef Parts parts = parts_of(self)
        return "" if parts.row == NULL else (<object> parts.row).symbol

    # Lists are made before the operands are looked up, because a new list may start the collector,
    # and that any code; and without comprehensions, in which Cython 3.3 drops an element twice when
    # memory runs out.

    @property
    def _operands(self):
        cdef list found = []
        cdef Parts parts = parts_of(self)
        cdef Py_ssize_t i
        for i in range(parts.count):
            found.append(<object> parts.operands[i] if parts.operands[i] else parts.derivatives[i])
        return tuple(found)

    @property
    def _prev(self):
        cdef list found = []
        cdef Parts parts = parts_of(self)
        cdef Py_ssize_t i
        for i in range(parts.count):
            if parts.operands[i]:
                found.append(<object> parts.operands[i])
        return tuple(found)

    @property
    def _derivatives(self):
        cdef list found = []
        cdef Parts parts = parts_of(self)
        cdef Py_ssize_t i
        for i in range(parts.count):
            if parts.operands[i]:
                found.append(parts.derivatives[i])
        return tuple(found)

    # Both orders of the operands come here, value o number and number o value.

    def __add__(left, right):
        """x + y."""
        if PyLong_CheckExact(left) and left == 0:  # where the builtin `sum` starts: no node for it
            return right
        return binary(left, right, AE_add)

    def __sub__(left, right):
        """x - y."""
        return binary(left, right, AE_sub)

    def __mul__(left, right):
        """x * y."""
        return binary(left, right, AE_mul)

    def __truediv__(left, right):
        """x / y; 1/0 = inf, 0/0 = nan."""
        return binary(left, right, AE_div)

    def __pow__(left, right, modulus):
        if modulus is not None:
            return NotImplemented
        return binary(left, right, AE_pow)

    def __neg__(self):
        return unary(self, AE_neg)

    def __abs__(self):
        return unary(self, AE_abs)

    def __pos__(self):
        return self

    def __richcmp__(self, other, int operation):
        cdef double x = (<Value> self).number, y
        if len(RUNNING):
            enter_mode()
            if mode.recorder != NULL:
                return (<object> mode.recorder).compare(operation, self, other)
        if type(other) is Value:
            y = (<Value> other).number
        elif PyFloat_CheckExact(other):
            y = PyFloat_AS_DOUBLE(other)
        elif isinstance(other, Real):
            return bool(PyObject_RichCompare(x, other, operation))
        else:
            return NotImplemented
        if operation == Py_LT:
            return x < y
        if operation == Py_LE:
            return x <= y
        if operation == Py_GT:
            return x > y
        if operation == Py_GE:
            return x >= y
        return x == y if operation == Py_EQ else x != y

    def __hash__(self):
        return object.__hash__(self)

    def __float__(self):
        if len(RUNNING):
            unfollowed(self)
        return self.number

    def __int__(self):
        return int(float(self))

    def __bool__(self):
        if len(RUNNING):
            unrecorded(self, True)
        return self.number != 0.0


include "_nodes.pxi"
include "_operations.pxi"


# --- the class as in `value.py` ---------------------------------------------------------------

ae_make_unary, ae_make_binary = unary, binary_method
python_call, python_call_sequences = Primitive.__call__, NaryPrimitive.__call__
kernels_hash, table_hash = AE_HASH.decode(), AE_TABLE.decode()

_kept = []  # what C keeps pointers to


def method(row):
    """The method of a primitive with one or two operands: in C, if it has a kernel."""
    cdef int kernel = kernel_of(row)
    if kernel == AE_none:
        return value.unary(row, make_node) if row.arity == 1 else value.binary(row)
    operands = "$self, /" if row.arity == 1 else "$self, other, /"
    doc = f"{row.name}({operands})\n--\n\n{row.__doc__}".encode()
    _kept.append(doc)
    AE_METHODS[kernel].ml_doc = doc
    return PyDescr_NewMethod(<PyTypeObject *> Value, &AE_METHODS[kernel])


def _load_kernels():
    for number in range(1, AE_COUNT):
        name = AE_KERNELS[number].name.decode()
        row = TABLE.get(name)
        if row is None:
            raise ImportError(f"it was built when there was a primitive {name}")
        _kept.append(row)
        AE_ROWS[number] = <PyObject *> row
        KERNELS[row] = number


ae_take_memory_of(<PyTypeObject *> Value)
if not (sys.flags.dev_mode or os.environ.get("PYTHONMALLOC")):  # those look for freed memory in use
    ae_kept = KEPT
_load_kernels()
for shared in (
    "__doc__", "__format__", "__init_subclass__", "__repr__", "__round__", "__trunc__", "detach",
    "label",
):
    setattr(Value, shared, vars(value.Value)[shared])
watch(lambda row: value.install(row, Value, method))
