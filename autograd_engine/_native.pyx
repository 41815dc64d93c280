# cython: language_level=3, c_api_binop_methods=True, boundscheck=False, wraparound=False
"""The engine in C: the same Value as in `value.py`, about twenty times as fast.

Read `value.py` first; names and meanings are the same here, and what needs no speed is taken from
there. The arithmetic is `_kernels.h`, which is made from the table of primitives. This file is
about memory: how a node is stored, walked and freed.

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

Everything here runs while it holds the interpreter's lock, and `backward` runs no Python code, so
that a backward pass happens at once for other threads and for Ctrl-C, which comes after it.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport (
    Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, PyObject, PyObject_RichCompare,
)
from cpython.tuple cimport PyTuple_CheckExact

from numbers import Real

from autograd_engine import modes, value
from autograd_engine.anomalies import check_gradient, inspected, watched
from autograd_engine.conversion import number
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
    static PyMethodDef AE_METHODS[AE_COUNT] = {AE_UNARY(AE_ENTRY_1) AE_BINARY(AE_ENTRY_2)};

    static PyObject *AE_ROWS[AE_COUNT];  /* the rows of the table that the kernels come from */

    #ifdef __GNUC__  /* have a node at hand that will be needed soon */
    #define ae_prefetch(node) __builtin_prefetch(node, 1)
    #else
    #define ae_prefetch(node) (void) (node)
    #endif
    """
    ctypedef struct PyMethodDef:
        const char *ml_doc
    PyMethodDef *AE_METHODS
    PyObject **AE_ROWS
    void ae_prefetch(PyObject *node) noexcept
    object (*ae_make_unary)(object, int)
    object (*ae_make_binary)(object, object, int)

cdef extern from "<fenv.h>":
    int feclearexcept(int) noexcept
    int FE_ALL_EXCEPT

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        unsigned long tp_flags
        object (*tp_call)(object, object, PyObject *)
    long long PyLong_AsLongLongAndOverflow(object x, int *overflow) except? -1
    object PyDescr_NewMethod(PyTypeObject *type, PyMethodDef *method)
    unsigned long Py_TPFLAGS_BASETYPE
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
    # A node's mark: its kernel (AE_none: a leaf, or a row without kernel), MANY, and above that the
    # number of the walk that was here last. Marks of walks that are over mean nothing, so nobody
    # has to take them away; 2**48 walks take years.
    KERNEL = 0xFF
    MANY = 0x100
    WALK = 0x10000

    KEPT = 1 << 20  # how many free nodes, and places in a list, are kept for the next graph

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

cdef Mode mode
cdef object MODE = modes.MODE
cdef Mark walks = 0
cdef Nodes order, path  # of the last walk, kept for the next
cdef dict KERNELS = {}  # row: number of its kernel


@cython.no_gc
@cython.final
@cython.freelist(1048576)
cdef class Value:
    cdef double number
    cdef double adjoint
    cdef double[2] derivatives  # dz/d(operand), or the plain number that is one
    cdef PyObject *operands[2]  # NULL for a plain number; with MANY, [0] is the block
    cdef Mark mark
    cdef PyObject *info  # label, scope and line of origin, or NULL when there is nothing to say

    def __init__(self, data, *, label=""):
        cdef double x = as_float(data, "Value")
        enter_mode()
        forget(self)  # what it was before, where somebody calls __init__ again
        self.number, self.adjoint = x, 0.0
        set_info(self, mode.info)
        if label != "":
            self.label = label

    def __dealloc__(self):
        forget(self)

    @staticmethod
    def bind(row, tuple operands):
        """What a row calls when it meets a Value."""
        return bind(row, operands)

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
        walk(<PyObject *> self, False)
        self.adjoint += start
        for i in range(order.count - 1, -1, -1):
            ae_prefetch(order.items[i - 8 if i > 8 else 0])
            send(order.items[i])
        shrink(&order)

    def _backward(self):
        """Add this node's contributions to its operands: one step of `backward`, by hand."""
        enter_mode()
        if mode.detects:
            send_watched((self,))
        else:
            send(<PyObject *> self)

    def zero_grad(self):
        """Forget the gradient, before the next `backward` adds to it."""
        self.adjoint = 0.0

    @property
    def data(self):
        """The number. Setting it changes no node that was computed from it."""
        return self.number

    @data.setter
    def data(self, data):
        self.number = as_float(data, "Value.data")

    @property
    def grad(self):
        """The adjoint: d output / d self after `output.backward()`; leaves add it up."""
        return self.adjoint

    @grad.setter
    def grad(self, grad):
        self.adjoint = as_float(grad, "Value.grad")

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
        if info is not None and type(info) is not modes.Info:
            raise TypeError(f"Value: expected an Info, got {info!r}")
        set_info(self, NULL if info is None else <PyObject *> info)

    @property
    def _primitive(self):
        cdef Parts parts = parts_of(self)
        return None if parts.row == NULL else <object> parts.row

    @property
    def _op(self):
        row = self._primitive
        return "" if row is None else row.symbol

    @property
    def _operands(self):
        cdef Parts parts = parts_of(self)
        return tuple([<object> parts.operands[i] if parts.operands[i] else parts.derivatives[i]
                      for i in range(parts.count)])

    @property
    def _prev(self):
        cdef Parts parts = parts_of(self)
        return tuple([<object> parts.operands[i] for i in range(parts.count) if parts.operands[i]])

    @property
    def _derivatives(self):
        cdef Parts parts = parts_of(self)
        return tuple([parts.derivatives[i] for i in range(parts.count) if parts.operands[i]])

    # Both orders of the operands come here, value o number and number o value.

    def __add__(left, right):
        if PyLong_CheckExact(left) and left == 0:  # where the builtin `sum` starts: no node for it
            return right
        return binary(left, right, AE_add)

    def __sub__(left, right):
        return binary(left, right, AE_sub)

    def __mul__(left, right):
        return binary(left, right, AE_mul)

    def __truediv__(left, right):
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
        return self.number

    def __int__(self):
        return int(self.number)

    def __bool__(self):
        return self.number != 0.0


# --- memory -----------------------------------------------------------------------------------


cdef struct Parts:
    Py_ssize_t count
    PyObject **operands
    double *derivatives
    PyObject *row


cdef inline Parts parts_of(Value node) noexcept:
    """The operands of a node, wherever they are."""
    cdef Parts parts
    cdef int kernel = node.mark & KERNEL
    cdef Many *many = <Many *> node.operands[0]
    parts.row = AE_ROWS[kernel]
    if node.mark & MANY:
        parts.count, parts.operands, parts.derivatives = many.count, many.operands, many.derivatives
        if kernel == AE_none:
            parts.row = many.row
    else:
        parts.count = AE_KERNELS[kernel].arity
        parts.operands, parts.derivatives = node.operands, node.derivatives
    return parts


cdef Many *new_block(Py_ssize_t count) except NULL:
    """Place for many operands, all plain numbers to begin with."""
    cdef Py_ssize_t i, size = sizeof(PyObject *) + sizeof(double)
    cdef Many *many = <Many *> PyMem_Malloc(sizeof(Many) + count * size)
    if many == NULL:
        raise MemoryError
    many.count, many.row = count, NULL
    many.operands = <PyObject **> (many + 1)
    many.derivatives = <double *> (many.operands + count)
    for i in range(count):
        many.operands[i] = NULL
    return many


cdef void forget(Value node) noexcept:
    """Let go of operands and info; nodes that nobody else needs go too, however many they are.

    They wait in a list instead of being freed from within each other, which would go too deep for
    the stack. Their `info` is the link to the next: no memory is needed for the list.
    """
    cdef PyObject *waiting = NULL
    cdef PyObject *last
    let_go(node, &waiting)
    while waiting != NULL:
        last = waiting
        waiting = (<Value> last).info
        (<Value> last).info = NULL
        let_go(<Value> last, &waiting)
        Py_DECREF(last)


cdef void let_go(Value node, PyObject **waiting) noexcept:
    """Give the operands of a node back; the ones that were only its own begin to wait."""
    cdef Parts parts = parts_of(node)
    cdef PyObject *operand
    cdef Py_ssize_t i
    for i in range(parts.count):
        operand = parts.operands[i]
        if operand != NULL and Py_REFCNT(operand) == 1:
            Py_XDECREF((<Value> operand).info)
            (<Value> operand).info = waiting[0]
            waiting[0] = operand
        else:
            Py_XDECREF(operand)
    if node.mark & MANY:
        Py_XDECREF((<Many *> node.operands[0]).row)
        PyMem_Free(node.operands[0])
    node.mark, node.operands[0], node.operands[1] = AE_none, NULL, NULL
    set_info(node, NULL)


cdef inline void set_info(Value node, PyObject *info) noexcept:
    Py_XINCREF(info)
    Py_XDECREF(node.info)
    node.info = info


# --- making a node ----------------------------------------------------------------------------


cdef inline int enter_mode() except -1:
    """Have the current mode in `mode`: that of this thread, which is seldom another than before."""
    cdef PyObject *current = NULL
    PyContextVar_Get(MODE, NULL, &current)
    if current != mode.known:
        read_mode(<object> current)
    Py_DECREF(current)
    return 0


cdef int read_mode(object current) except -1:
    cdef bint records = current.records, detects = current.detects
    info = current.info
    Py_INCREF(<PyObject *> current)
    Py_XDECREF(mode.known)
    mode.known, mode.records, mode.detects = <PyObject *> current, records, detects
    mode.info = NULL if info is None else <PyObject *> info  # kept alive by `known`
    return 0


cdef inline double as_float(object x, str operation) except? -1.0:
    return PyFloat_AS_DOUBLE(x) if PyFloat_CheckExact(x) else number(x, operation)


cdef inline void look_at(Value node) noexcept:
    """Clear the processor's flags where a result is not finite: NumPy, in a loop of which we may be,
    would warn of them. (x - x is 0 for what is finite, and nan for the rest.)
    """
    if not (node.number - node.number == 0.0
            and node.derivatives[0] - node.derivatives[0] == 0.0
            and node.derivatives[1] - node.derivatives[1] == 0.0):
        feclearexcept(FE_ALL_EXCEPT)


cdef object unary(object operand, int kernel):
    """The node of a primitive with one operand, which is a Value."""
    cdef Value node
    enter_mode()
    node = Value.__new__(Value)
    AE_KERNELS[kernel].run(1, &(<Value> operand).number, &node.number, node.derivatives)
    look_at(node)
    if mode.records:
        node.mark = kernel
        Py_INCREF(<PyObject *> operand)
        node.operands[0] = <PyObject *> operand
    set_info(node, mode.info)
    if mode.detects:
        inspect(node, <object> AE_ROWS[kernel], (operand,))
    return node


cdef object binary(object left, object right, int kernel):
    """The node of an operator, with a plain number on one side perhaps."""
    cdef double[2] x
    cdef bint left_is_value = type(left) is Value, right_is_value = type(right) is Value
    cdef Value node
    if left_is_value:
        x[0] = (<Value> left).number
    elif not get_constant(left, &x[0], kernel):
        return NotImplemented
    if right_is_value:
        x[1] = (<Value> right).number
    elif not get_constant(right, &x[1], kernel):
        return NotImplemented
    enter_mode()
    node = Value.__new__(Value)
    AE_KERNELS[kernel].run(1, x, &node.number, node.derivatives)
    look_at(node)
    if mode.records:
        node.mark = kernel
        if left_is_value:
            Py_INCREF(<PyObject *> left)
            node.operands[0] = <PyObject *> left
        else:
            node.derivatives[0] = x[0]
        if right_is_value:
            Py_INCREF(<PyObject *> right)
            node.operands[1] = <PyObject *> right
        else:
            node.derivatives[1] = x[1]
    set_info(node, mode.info)
    if mode.detects:
        operands = left if left_is_value else x[0], right if right_is_value else x[1]
        inspect(node, <object> AE_ROWS[kernel], operands)
    return node


cdef inline bint get_constant(object plain, double *x, int kernel) except -1:
    """A plain number; False for a stranger, such as an array, which may know what to do."""
    cdef int overflow
    cdef long long whole
    if PyFloat_CheckExact(plain):
        x[0] = PyFloat_AS_DOUBLE(plain)
        return True
    if PyLong_CheckExact(plain):
        whole = PyLong_AsLongLongAndOverflow(plain, &overflow)
        if not overflow:
            x[0] = <double> whole
            return True
    plain = constant(plain, (<object> AE_ROWS[kernel]).symbol)
    if plain is None:
        return False
    x[0] = plain
    return True


cdef object binary_method(object self, object other, int kernel):
    """`value.maximum(other)`."""
    if type(other) is Value or PyFloat_CheckExact(other):
        return binary(self, other, kernel)
    return (<object> AE_ROWS[kernel])(self, other)


cdef int inspect(Value node, object row, tuple operands) except -1:
    """What `detect_anomaly` does with a new node."""
    info = inspected(row, node.number, operands, node._info)
    set_info(node, <PyObject *> info)
    return 0


cdef struct Column:  # operands side by side
    PyObject **items
    Py_ssize_t count

cdef double *numbers = NULL  # of the operands of the node that is being made
cdef Py_ssize_t numbers_size = 0


cdef int collect(Many *many, Column *columns, int width) except -1:
    """The operands into a block and into `numbers`; 0 at one that is neither Value nor float."""
    cdef Py_ssize_t i, k
    cdef PyObject *item
    cdef double *x = numbers
    cdef PyObject **operands = many.operands
    for k in range(width):
        for i in range(columns[k].count):
            item = columns[k].items[i]
            if Py_TYPE(item) == <PyTypeObject *> Value:
                x[0] = (<Value> item).number
                Py_INCREF(item)
                operands[0] = item
            elif PyFloat_CheckExact(<object> item):
                x[0] = PyFloat_AS_DOUBLE(<object> item)
                operands[0] = NULL
            else:
                many.count = operands - many.operands  # what there is to let go of
                return 0
            operands += 1
            x += 1
    return 1


cdef object many_operands(object row, int kernel, Column *columns, int width):
    """The node of a row with any number of operands; None unless they are Values and floats."""
    global numbers, numbers_size
    cdef Value node = Value.__new__(Value)
    cdef Many *many
    cdef Py_ssize_t i, k, count = 0
    for k in range(width):
        count += columns[k].count
    if count > numbers_size:
        PyMem_Free(numbers)
        numbers_size = 0
        numbers = <double *> PyMem_Malloc(2 * count * sizeof(double))
        if numbers == NULL:
            raise MemoryError
        numbers_size = 2 * count
    enter_mode()
    many = new_block(count)
    node.operands[0], node.mark = <PyObject *> many, MANY | kernel  # so that an error frees it
    if not collect(many, columns, width):
        return None
    if kernel == AE_none:
        linearize(node, row)
    else:
        count //= AE_KERNELS[kernel].arity if AE_KERNELS[kernel].nary else count
        AE_KERNELS[kernel].run(count, numbers, &node.number, many.derivatives)
        look_at(node)
        for i in range(many.count):
            if many.operands[i] == NULL:
                many.derivatives[i] = numbers[i]
    operands = node._operands if mode.detects else ()
    if not mode.records:
        forget(node)
    set_info(node, mode.info)
    if mode.detects:
        inspect(node, row, operands)
    return node


cdef int linearize(Value node, object row) except -1:
    """Result and derivatives of a row that has no kernel; its code may make other nodes."""
    cdef Many *many = <Many *> node.operands[0]
    cdef Py_ssize_t i
    x = [numbers[i] for i in range(many.count)]
    many.row = <PyObject *> row
    Py_INCREF(many.row)
    node.number, derivatives = row.linearize(x)
    if len(derivatives) != many.count:
        raise ValueError(f"{row.name}: {len(derivatives)} derivatives for {many.count} operands")
    for i in range(many.count):
        many.derivatives[i] = derivatives[i] if many.operands[i] else x[i]
    enter_mode()  # again, for that code may have been in another one
    return 0


cdef inline int kernel_of(object row) except -1:
    """The number of a row's kernel; AE_none for a row of the user's."""
    cdef PyObject *number = PyDict_GetItemWithError(KERNELS, row)
    return AE_none if number == NULL else <object> number


cdef object bind(object row, tuple operands):
    """The node of any primitive on Values and numbers; a number is remembered, but is no node."""
    cdef int kernel = kernel_of(row)
    cdef Py_ssize_t count = len(operands)
    cdef Column column
    plain = [
        x if is_plain(x) else float(x) if type(x) in (bool, int) else constant(x, row.name)
        for x in operands
    ]
    if any([x is None for x in plain]):
        return NotImplemented
    if kernel != AE_none and count <= 2 and not AE_KERNELS[kernel].nary:
        return unary(plain[0], kernel) if count == 1 else binary(plain[0], plain[1], kernel)
    column.items, column.count = PySequence_Fast_ITEMS(plain), count
    return many_operands(row, kernel, &column, 1)


cdef inline int is_plain(object x) noexcept:
    """0 for what needs a closer look, 1 for a float, 2 for a Value."""
    return 2 if type(x) is Value else 1 if PyFloat_CheckExact(x) else 0


cdef object call_row(object row, object operands, PyObject *named):
    """`Primitive.__call__`, straight to C where it can go there."""
    cdef int kernel = kernel_of(row)
    cdef tuple xs = operands
    cdef Py_ssize_t count = len(xs)
    if kernel != AE_none and count == AE_KERNELS[kernel].arity and named == NULL:
        if count == 1 and type(xs[0]) is Value:
            return unary(xs[0], kernel)
        if count == 2 and is_plain(xs[0]) * is_plain(xs[1]) > 1:
            return binary(xs[0], xs[1], kernel)
        if count > 2 and any([type(x) is Value for x in xs]):
            z = bind(row, xs)
            if z is not NotImplemented:
                return z
    return python_call(row, *xs, **({} if named == NULL else <dict> named))


cdef object call_row_of_sequences(object row, object operands, PyObject *named):
    """`NaryPrimitive.__call__`, straight to the kernel where all operands are Values and floats."""
    cdef int kernel = kernel_of(row)
    cdef tuple sequences = operands
    cdef Py_ssize_t k, width = len(sequences)
    cdef Column[2] columns
    if kernel != AE_none and width == AE_KERNELS[kernel].arity and width <= 2 and named == NULL:
        for k in range(width):
            if not PyList_CheckExact(sequences[k]) and not PyTuple_CheckExact(sequences[k]):
                sequences = tuple(row.tuples(sequences))  # may run code, so before the next loop
        for k in range(width):
            columns[k].items = PySequence_Fast_ITEMS(sequences[k])
            columns[k].count = PySequence_Fast_GET_SIZE(sequences[k])
        if columns[0].count == columns[width - 1].count and has_a_value(columns, width):
            node = many_operands(row, kernel, columns, width)
            if node is not None:
                return node
    return python_call_sequences(row, *sequences, **({} if named == NULL else <dict> named))


cdef bint has_a_value(Column *columns, int width) noexcept:
    cdef Py_ssize_t i, k
    for k in range(width):
        for i in range(columns[k].count):
            if Py_TYPE(columns[k].items[i]) == <PyTypeObject *> Value:
                return True
    return False


def take_calls_of_rows():
    """Have `exp(v)` and `dot(w, x)` come here: a third faster than through a `__call__` in Python."""
    (<PyTypeObject *> Primitive).tp_call = call_row
    (<PyTypeObject *> NaryPrimitive).tp_call = call_row_of_sequences


# --- backward ---------------------------------------------------------------------------------


cdef inline int append(Nodes *nodes, PyObject *node) except -1:
    cdef PyObject **longer
    if nodes.count == nodes.capacity:
        nodes.capacity = 2 * nodes.capacity if nodes.capacity else 1024
        longer = <PyObject **> PyMem_Realloc(nodes.items, nodes.capacity * sizeof(PyObject *))
        if longer == NULL:
            raise MemoryError
        nodes.items = longer
    nodes.items[nodes.count] = node
    nodes.count += 1
    return 0


cdef void shrink(Nodes *nodes) noexcept:
    """Keep at most 8 MB for the next time: new memory costs more than what is done with it."""
    if nodes.capacity > KEPT:
        PyMem_Free(nodes.items)
        nodes.items, nodes.capacity = NULL, 0


cdef int walk(PyObject *root, bint leaves) except -1:
    """Every node below `root` into `order`, operands first, as `topological_order` in `value.py`.

    Without `leaves` it is for `backward`: only nodes with operands, and their adjoints become 0.

    From the last node of `path` it goes to the next operand that is new, or else back. A node on
    the path keeps how many operands are dealt with: a block in `visited`, the others in the lowest
    bits of the pointer to the node, which are 0 otherwise.
    """
    global walks
    cdef PyObject *node
    cdef PyObject *operand
    cdef Many *many
    cdef Py_ssize_t i
    cdef size_t place
    walks += WALK
    order.count = path.count = 0
    operand = entered(root, leaves)
    while True:
        if operand != NULL:
            if (<Value> operand).mark & (KERNEL | MANY):
                append(&path, operand)
            else:
                append(&order, operand)
        if path.count == 0:
            shrink(&path)
            return 0
        place = <size_t> path.items[path.count - 1]
        node = <PyObject *> (place & ~(<size_t> 3))
        operand = NULL
        if (<Value> node).mark & MANY:
            many = <Many *> (<Value> node).operands[0]
            for i in range(many.visited, many.count):
                operand = entered(many.operands[i], leaves)
                if operand != NULL:
                    many.visited = i + 1
                    break
        else:
            while place & 3 < 2 and operand == NULL:
                operand = entered((<Value> node).operands[place & 3], leaves)
                place += 1
            path.items[path.count - 1] = <PyObject *> place
        if operand == NULL:
            append(&order, node)
            path.count -= 1


cdef inline PyObject *entered(PyObject *node, bint leaves) noexcept:
    """A node where this walk arrives, or NULL: a plain number, not new, or a leaf of no interest."""
    cdef Mark mark
    if node == NULL:
        return NULL
    mark = (<Value> node).mark
    if mark >= walks:
        return NULL
    (<Value> node).mark = (mark & (WALK - 1)) | walks
    if not mark & (KERNEL | MANY):
        return node if leaves else NULL
    if mark & MANY:
        (<Many *> (<Value> node).operands[0]).visited = 0
    if not leaves:
        (<Value> node).adjoint = 0.0
    return node


cdef inline void send(PyObject *node) noexcept:
    """The chain rule: add local derivative * adjoint to each operand."""
    cdef double adjoint = (<Value> node).adjoint
    cdef Many *many
    cdef Py_ssize_t i
    cdef PyObject *operand
    if (<Value> node).mark & MANY:
        many = <Many *> (<Value> node).operands[0]
        for i in range(many.count):
            operand = many.operands[i]
            if operand != NULL:
                (<Value> operand).adjoint += many.derivatives[i] * adjoint
        return
    operand = (<Value> node).operands[0]
    if operand != NULL:
        (<Value> operand).adjoint += (<Value> node).derivatives[0] * adjoint
    operand = (<Value> node).operands[1]
    if operand != NULL:
        (<Value> operand).adjoint += (<Value> node).derivatives[1] * adjoint


cdef int backward_watched(Value root, double start) except -1:
    """`backward` under `detect_anomaly`, node by node in Python."""
    cdef Value node
    check_gradient(start)
    order = topological_order(root)
    for node in order:
        if node.mark & (KERNEL | MANY):
            node.adjoint = 0.0
    root.adjoint += start
    return send_watched(reversed(order))


cdef int send_watched(nodes) except -1:
    for node in watched(nodes):
        send(<PyObject *> node)
    return 0


def topological_order(root, seen=None):
    """As `topological_order` in `value.py`."""
    cdef Py_ssize_t i
    if seen is not None or type(root) is not Value:
        return value.topological_order(root, seen)
    walk(<PyObject *> root, True)
    cdef Nodes found = order
    order.items, order.capacity = NULL, 0  # a new list may start the collector, and that a walk
    try:
        return [<object> found.items[i] for i in range(found.count)]
    finally:
        PyMem_Free(found.items)


def assemble(double number, double grad, row, tuple operands, derivatives, info):
    """As `assemble` in `value.py`."""
    cdef int kernel = kernel_of(row)
    cdef Py_ssize_t i, count = len(operands)
    cdef Value node = Value.__new__(Value)
    cdef Many *many
    cdef Parts parts
    node.number, node.adjoint, node._info = number, grad, info
    if row is None and not operands:
        return node
    if not isinstance(row, Primitive):
        raise TypeError(f"Value: expected the primitive of {count} operands, got {row!r}")
    if kernel == AE_none or AE_KERNELS[kernel].nary or not count == AE_KERNELS[kernel].arity <= 2:
        many = new_block(count)
        node.operands[0], node.mark = <PyObject *> many, MANY | kernel
        if kernel == AE_none:
            many.row = <PyObject *> row
            Py_INCREF(many.row)
    else:
        node.mark = kernel
    parts = parts_of(node)
    slopes = iter(derivatives)
    for i in range(count):
        operand = operands[i]
        if type(operand) is Value:
            parts.derivatives[i] = next(slopes)
            Py_INCREF(<PyObject *> operand)
            parts.operands[i] = <PyObject *> operand
        else:
            parts.derivatives[i] = operand
    return node


# --- the class as in `value.py` ---------------------------------------------------------------

ae_make_unary, ae_make_binary = unary, binary_method
python_call, python_call_sequences = Primitive.__call__, NaryPrimitive.__call__
kernels_hash = AE_HASH.decode()

_kept = []  # what C keeps pointers to


def method(row):
    """The method of a primitive with one or two operands: in C, if it has a kernel."""
    cdef int kernel = kernel_of(row)
    if kernel == AE_none:
        return value.named(row.name, row, lambda *operands: row(*operands))
    operands = "$self, /" if row.arity == 1 else "$self, other, /"
    doc = f"{row.name}({operands})\n--\n\n{row.__doc__}".encode()
    _kept.append(doc)
    AE_METHODS[kernel].ml_doc = doc
    return PyDescr_NewMethod(<PyTypeObject *> Value, &AE_METHODS[kernel])


def _load_kernels():
    for number in range(1, AE_COUNT):
        row = TABLE[AE_KERNELS[number].name.decode()]
        _kept.append(row)
        AE_ROWS[number] = <PyObject *> row
        KERNELS[row] = number


_load_kernels()
for name in ("__doc__", "__init_subclass__", "__trunc__", "__round__", "__format__", "__repr__", "detach", "label"):
    setattr(Value, name, vars(value.Value)[name])
# `final` would make Python refuse a subclass before `__init_subclass__` can say what to do instead
(<PyTypeObject *> Value).tp_flags |= Py_TPFLAGS_BASETYPE
watch(lambda row: value.install(row, Value, method))
