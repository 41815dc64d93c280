# A part of `_native.pyx`: how operations make nodes.

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
    cdef PyObject *old = mode.known
    info, recorder = current.info, current.recorder
    Py_INCREF(<PyObject *> current)
    mode.known, mode.records, mode.detects = <PyObject *> current, records, detects
    mode.info = NULL if info is None else <PyObject *> info  # kept alive by `known`
    mode.recorder = NULL if recorder is None else <PyObject *> recorder
    Py_XDECREF(old)
    return 0


cdef inline double as_float(object x, str operation) except? -1.0:
    return PyFloat_AS_DOUBLE(x) if PyFloat_CheckExact(x) else number(x, operation)


cdef inline void clear_flags(Value node) noexcept:
    """Where a result is not finite, clear the processor's flags that say so.

    NumPy, in a loop of which we may be, would warn of them. (x - x is 0 only for what is finite.)
    """
    if not (node.number - node.number == 0.0
            and node.derivatives[0] - node.derivatives[0] == 0.0
            and node.derivatives[1] - node.derivatives[1] == 0.0):
        feclearexcept(FE_ALL_EXCEPT)


cdef enum Kind:
    OTHER, NUMBER, VALUE

cdef PyTypeObject *numpy_float = NULL  # numpy.float64, once one has come by


cdef inline Kind read(PyObject *x, double *number) noexcept:
    """The number of a Value, or of a plain number that runs no code of its own when it is read."""
    cdef int overflow = 0
    cdef long long whole
    if Py_TYPE(x) == <PyTypeObject *> Value:
        number[0] = (<Value> x).number
        return VALUE
    if PyFloat_CheckExact(<object> x) or Py_TYPE(x) == numpy_float:
        number[0] = PyFloat_AS_DOUBLE(<object> x)
        return NUMBER
    if PyLong_CheckExact(<object> x) or PyBool_Check(<object> x):
        whole = PyLong_AsLongLongAndOverflow(<object> x, &overflow)
        if not overflow:
            number[0] = <double> whole
            return NUMBER
    return OTHER


cdef bint read_other(object x, double *number, object operation) except -1:
    """Any other plain number; False for a stranger, such as an array, which may know what to do."""
    global numpy_float
    if numpy_float == NULL and isinstance(x, float):  # only those can be read as C reads a float
        x_type = type(x)
        if x_type.__module__ == "numpy" and x_type.__name__ == "float64":
            _kept.append(x_type)
            numpy_float = <PyTypeObject *> x_type
    x = constant(x, operation)
    if x is None:
        return False
    number[0] = x
    return True


cdef object unary(object operand, int kernel):
    """The node of a primitive with one operand, which is a Value."""
    cdef Value node
    enter_mode()
    node = Value.__new__(Value)
    AE_KERNELS[kernel].run(1, &(<Value> operand).number, &node.number, node.derivatives)
    clear_flags(node)
    if mode.records:
        node.mark = kernel | walks
        Py_INCREF(<PyObject *> operand)
        node.operands[0] = <PyObject *> operand
    elif mode.recorder != NULL:
        return (<object> mode.recorder).bind(<object> AE_ROWS[kernel], (operand,))
    set_info(node, mode.info)
    if mode.detects:
        inspect(node, <object> AE_ROWS[kernel], (operand,))
    return node


cdef object binary(object left, object right, int kernel):
    """The node of an operator, with a plain number on one side perhaps."""
    cdef double[2] x
    cdef Kind left_kind = read(<PyObject *> left, &x[0])
    cdef Kind right_kind = read(<PyObject *> right, &x[1])
    cdef Value node
    if left_kind == OTHER and not read_other(left, &x[0], (<object> AE_ROWS[kernel]).symbol):
        return NotImplemented
    if right_kind == OTHER and not read_other(right, &x[1], (<object> AE_ROWS[kernel]).symbol):
        return NotImplemented
    enter_mode()
    node = Value.__new__(Value)
    AE_KERNELS[kernel].run(1, x, &node.number, node.derivatives)
    clear_flags(node)
    if mode.records:
        node.mark = kernel | walks
        if left_kind == VALUE:
            Py_INCREF(<PyObject *> left)
            node.operands[0] = <PyObject *> left
        else:
            node.derivatives[0] = x[0]
        if right_kind == VALUE:
            Py_INCREF(<PyObject *> right)
            node.operands[1] = <PyObject *> right
        else:
            node.derivatives[1] = x[1]
    elif mode.recorder != NULL:
        operands = left if left_kind == VALUE else x[0], right if right_kind == VALUE else x[1]
        return (<object> mode.recorder).bind(<object> AE_ROWS[kernel], operands)
    set_info(node, mode.info)
    if mode.detects:
        operands = left if left_kind == VALUE else x[0], right if right_kind == VALUE else x[1]
        inspect(node, <object> AE_ROWS[kernel], operands)
    return node


cdef object binary_method(object self, object other, int kernel):
    """`value.maximum(other)`."""
    cdef double x
    if read(<PyObject *> other, &x) == OTHER:
        return (<object> AE_ROWS[kernel])(self, other)
    return binary(self, other, kernel)


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


cdef int reserve_numbers(Py_ssize_t count) except -1:
    global numbers, numbers_size
    if count > numbers_size or numbers_size > KEPT:
        PyMem_Free(numbers)
        numbers_size = 0
        numbers = <double *> PyMem_Malloc(max(count, 64) * sizeof(double))
        if numbers == NULL:
            raise MemoryError
        numbers_size = max(count, 64)
    return 0


cdef bint collect(Many *many, Column *columns, int width) noexcept:
    """The operands into a block and into `numbers`; False where one needs a closer look."""
    cdef Py_ssize_t i, k
    cdef PyObject *item
    cdef Kind kind
    cdef double *x = numbers
    cdef PyObject **operands = many.operands
    for k in range(width):
        for i in range(columns[k].count):
            item = columns[k].items[i]
            kind = read(item, x)
            if kind == VALUE:
                Py_INCREF(item)
                operands[0] = item
            elif kind == OTHER:
                return False
            operands += 1
            x += 1
    return True


cdef object many_operands(int kernel, Column *columns, int width):
    """The node of a kernel with any number of operands; None where one needs a closer look.

    It is called after `enter_mode`, and runs no Python code before it has all operands.
    """
    cdef Value node = Value.__new__(Value)
    cdef bint records = mode.records, detects = mode.detects
    cdef Many *many
    cdef Py_ssize_t i, k, count = 0
    for k in range(width):
        count += columns[k].count
    reserve_numbers(count)
    set_info(node, mode.info)
    many = new_block(count)
    node.operands[0], node.mark = <PyObject *> many, MANY | kernel | walks  # so that an error frees it
    if not collect(many, columns, width):
        return None
    count //= AE_KERNELS[kernel].arity if AE_KERNELS[kernel].nary else count
    AE_KERNELS[kernel].run(count, numbers, &node.number, many.derivatives)
    clear_flags(node)
    for i in range(many.count):
        if many.operands[i] == NULL:
            many.derivatives[i] = numbers[i]
    operands = node._operands if detects or mode.recorder != NULL else ()
    if mode.recorder != NULL:
        return (<object> mode.recorder).bind(<object> AE_ROWS[kernel], operands)
    if not records:
        info = node._info
        forget(node)
        node._info = info
    if detects:
        inspect(node, <object> AE_ROWS[kernel], operands)
    return node


def make_node(row, double data, derivatives, tuple operands, prev=None):
    """As `make_node` in `value.py`: what the rows of users, which have no kernel, call."""
    enter_mode()
    cdef bint records = mode.records, detects = mode.detects
    info = None if mode.info == NULL else <object> mode.info
    if mode.recorder != NULL:
        return (<object> mode.recorder).bind(row, operands)
    if records:
        node = assemble(data, 0.0, row, operands, derivatives, info)
    else:
        node = assemble(data, 0.0, None, (), (), info)
    if detects:
        inspect(node, row, operands)
    return node


cdef object bind_without_kernel(object row, list plain):
    cdef Py_ssize_t count = len(plain)
    cdef list x = [], slopes = []
    if count == 1 and not isinstance(row, NaryPrimitive):
        return value.unary(row, make_node)(plain[0])
    for operand in plain:
        x.append(operand._number if type(operand) is Value else operand)
    data, derivatives = row.linearize(x)
    if len(derivatives) != count:
        raise ValueError(f"{row.name}: {len(derivatives)} derivatives for {count} operands")
    for operand, derivative in zip(plain, derivatives):
        if type(operand) is Value:
            slopes.append(derivative)
    return make_node(row, data, slopes, tuple(plain))


cdef inline int kernel_of(object row) except -1:
    """The number of a row's kernel; AE_none for a row of the user's."""
    cdef PyObject *number = PyDict_GetItemWithError(KERNELS, row)
    return AE_none if number == NULL else <object> number


cdef object bind(object row, tuple operands):
    """The node of any primitive on Values and numbers; a number is remembered, but is no node."""
    cdef int kernel = kernel_of(row)
    cdef Py_ssize_t count = len(operands)
    cdef Column column
    cdef list plain = []  # no comprehension: Cython 3.3 drops elements twice when memory runs out
    cdef bint has_value = False
    cdef Kind kind
    cdef double number = 0.0
    for x in operands:
        kind = read(<PyObject *> x, &number)
        if kind == OTHER and not read_other(x, &number, row.name):
            return NotImplemented
        has_value |= kind == VALUE
        plain.append(x if kind == VALUE else number)
    if count % row.arity or (count != row.arity and not isinstance(row, NaryPrimitive)):
        raise TypeError(f"{row.name}: expected {row.arity} operands, got {count}")
    if not has_value:
        raise TypeError(f"{row.name}: none of the operands is a Value")
    if kernel == AE_none:
        return bind_without_kernel(row, plain)
    if count <= 2 and not AE_KERNELS[kernel].nary:
        return unary(plain[0], kernel) if count == 1 else binary(plain[0], plain[1], kernel)
    enter_mode()
    column.items, column.count = PySequence_Fast_ITEMS(plain), count
    return many_operands(kernel, &column, 1)


cdef object call_row(object row, object operands, PyObject *named):
    """`Primitive.__call__`, straight to C where it can go there."""
    cdef int kernel = kernel_of(row)
    cdef tuple xs = operands
    cdef Py_ssize_t count = len(xs)
    cdef Kind left, right
    cdef double x
    if kernel != AE_none and count == AE_KERNELS[kernel].arity and named == NULL:
        left = read(<PyObject *> xs[0], &x)
        if count == 1 and left == VALUE:
            return unary(xs[0], kernel)
        right = read(<PyObject *> xs[count - 1], &x)
        if count == 2 and left != OTHER and right != OTHER and (left == VALUE or right == VALUE):
            return binary(xs[0], xs[1], kernel)
        if count > 2 and (left == VALUE or right == VALUE or type(xs[1]) is Value):
            z = bind(row, xs)
            if z is not NotImplemented:
                return z
    return python_call(row, *xs, **({} if named == NULL else <dict> named))


cdef object call_row_of_sequences(object row, object operands, PyObject *named):
    """`NaryPrimitive.__call__`, straight to the kernel where operands are Values and numbers."""
    cdef int kernel = kernel_of(row)
    cdef tuple sequences = operands
    cdef Py_ssize_t k, width = len(sequences)
    cdef Column[2] columns
    if kernel != AE_none and width == AE_KERNELS[kernel].arity <= 2 and named == NULL:
        for k in range(width):
            if not PyList_CheckExact(sequences[k]) and not PyTuple_CheckExact(sequences[k]):
                sequences = tuple(row.tuples(sequences))  # may run code, so before the next loop
        enter_mode()
        columns[1].count = 0
        for k in range(width):
            columns[k].items = PySequence_Fast_ITEMS(sequences[k])
            columns[k].count = PySequence_Fast_GET_SIZE(sequences[k])
        if columns[0].count == columns[width - 1].count and has_a_value(columns, width):
            node = many_operands(kernel, columns, width)
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


def assemble(double data, double grad, row, tuple operands, derivatives, info):
    """As `assemble` in `value.py`."""
    cdef int kernel = kernel_of(row)
    cdef Py_ssize_t i, count = len(operands)
    cdef Value node = Value.__new__(Value)
    cdef Many *many
    cdef Parts parts
    node.number, node.adjoint, node._info = data, grad, info
    if row is None and not operands:
        return node
    if not isinstance(row, Primitive):
        raise TypeError(f"Value: expected the primitive of {count} operands, got {row!r}")
    if kernel == AE_none or AE_KERNELS[kernel].nary or not count == AE_KERNELS[kernel].arity <= 2:
        many = new_block(count)
        node.operands[0], node.mark = <PyObject *> many, MANY | kernel | walks
        if kernel == AE_none:
            many.row = <PyObject *> row
            Py_INCREF(many.row)
    else:
        node.mark = kernel | walks
    parts = parts_of(node)
    slopes = iter(derivatives)
    for i in range(count):
        operand = operands[i]
        parts.derivatives[i] = next(slopes, math.nan) if type(operand) is Value else operand
        if type(operand) is Value:
            Py_INCREF(<PyObject *> operand)
            parts.operands[i] = <PyObject *> operand
    return node


def fused_node(row, double data, tuple operands, slopes):
    """As `_node` in `fusion.py`."""
    cdef Py_ssize_t i, count = len(operands)
    cdef Value node = Value.__new__(Value)
    cdef Many *many
    cdef Py_buffer view
    if not isinstance(row, Primitive):
        raise TypeError(f"Value: expected a primitive, got {row!r}")
    for operand in operands:
        if type(operand) is not Value:
            raise TypeError(f"{row.name}: expected Values of the native engine, got {operand!r}")
    enter_mode()
    PyObject_GetBuffer(slopes, &view, PyBUF_SIMPLE)
    try:
        if view.len != count * <Py_ssize_t> sizeof(double):
            raise ValueError(f"{row.name}: expected {count} derivatives")
        many = new_block(count)
        memcpy(many.derivatives, view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    many.row = <PyObject *> row
    Py_INCREF(many.row)
    node.number, node.operands[0], node.mark = data, <PyObject *> many, MANY | walks
    for i in range(count):
        many.operands[i] = PyTuple_GET_ITEM(operands, i)
        Py_INCREF(many.operands[i])
    set_info(node, mode.info)
    return node


cdef double _number_of(PyObject *value) noexcept:
    return (<Value> value).number


number_of = PyCapsule_New(<void *> _number_of, "autograd_engine.number_of", NULL)
