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
    info = current.info
    Py_INCREF(<PyObject *> current)
    mode.known, mode.records, mode.detects = <PyObject *> current, records, detects
    mode.info = NULL if info is None else <PyObject *> info  # kept alive by `known`
    Py_XDECREF(old)
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
    cdef Mode made_in = mode  # which row.linearize may change
    cdef Many *many
    cdef Py_ssize_t i, k, count = 0
    for k in range(width):
        count += columns[k].count
    if count > numbers_size or numbers_size > KEPT:
        PyMem_Free(numbers)
        numbers_size = 0
        numbers = <double *> PyMem_Malloc(max(count, 64) * sizeof(double))
        if numbers == NULL:
            raise MemoryError
        numbers_size = max(count, 64)
    set_info(node, mode.info)
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
    operands = node._operands if made_in.detects else ()
    if not made_in.records:
        info = node._info
        forget(node)
        node._info = info
    if made_in.detects:
        inspect(node, row, operands)
    return node


cdef int linearize(Value node, object row) except -1:
    """Result and derivatives of a row that has no kernel; its code may make other nodes."""
    cdef Many *many = <Many *> node.operands[0]
    cdef Py_ssize_t i
    cdef list x = []
    many.row = <PyObject *> row
    Py_INCREF(many.row)
    for i in range(many.count):
        many.derivatives[i] = numbers[i]  # which that code may overwrite
    for i in range(many.count):
        x.append(many.derivatives[i])
    node.number, derivatives = row.linearize(x)
    if len(derivatives) != many.count:
        raise ValueError(f"{row.name}: {len(derivatives)} derivatives for {many.count} operands")
    for i in range(many.count):
        if many.operands[i]:
            many.derivatives[i] = derivatives[i]
    return 0


cdef inline int kernel_of(object row) except -1:
    """The number of a row's kernel; AE_none for a row of the user's."""
    cdef PyObject *number = PyDict_GetItemWithError(KERNELS, row)
    return AE_none if number == NULL else <object> number


cdef object plain_number(object x, object row):
    """A float, or None for a stranger, such as an array, which may know what to do."""
    cdef int overflow
    cdef long long whole
    if PyLong_CheckExact(x) or PyBool_Check(x):
        whole = PyLong_AsLongLongAndOverflow(x, &overflow)
        if not overflow:
            return <double> whole
    x = constant(x, row.name)
    return None if x is None else float(x)


cdef object bind(object row, tuple operands):
    """The node of any primitive on Values and numbers; a number is remembered, but is no node."""
    cdef int kernel = kernel_of(row)
    cdef Py_ssize_t count = len(operands)
    cdef Column column
    cdef list plain = []
    cdef int found = 0
    for x in operands:
        if not is_plain(x):
            x = plain_number(x, row)
            if x is None:
                return NotImplemented
        found |= is_plain(x)
        plain.append(x)
    if count % row.arity or (count != row.arity and not isinstance(row, NaryPrimitive)):
        raise TypeError(f"{row.name}: expected {row.arity} operands, got {count}")
    if found < 2:
        raise TypeError(f"{row.name}: none of the operands is a Value")
    if kernel != AE_none and count <= 2 and not AE_KERNELS[kernel].nary:
        return unary(plain[0], kernel) if count == 1 else binary(plain[0], plain[1], kernel)
    enter_mode()
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
        if count > 2 and (is_plain(xs[0]) == 2 or is_plain(xs[1]) == 2 or is_plain(xs[2]) == 2):
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
        enter_mode()
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
    slopes = list(derivatives)
    for i in range(count):
        operand = operands[i]
        if type(operand) is Value:
            if not slopes:
                raise ValueError(f"{row.name}: fewer derivatives than operands")
            parts.derivatives[i] = slopes.pop(0)
            Py_INCREF(<PyObject *> operand)
            parts.operands[i] = <PyObject *> operand
        else:
            parts.derivatives[i] = operand
    return node
