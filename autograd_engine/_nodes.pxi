# A part of `_native.pyx`: how nodes are stored, walked and freed.

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
    many.derivatives = <double *> (many + 1)
    many.operands = <PyObject **> (many.derivatives + count)
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
    """Give the operands of a node back; the ones that were only its own begin to wait.

    The node is empty before anything is given back, for that may run code that looks at it.
    """
    cdef Parts parts = parts_of(node)
    cdef PyObject *own[2]
    cdef PyObject *block = NULL
    cdef PyObject *row = NULL
    cdef PyObject *info = node.info
    cdef PyObject *other
    cdef PyObject *operand
    cdef Py_ssize_t i
    if node.mark & MANY:
        block = node.operands[0]
        row = (<Many *> block).row
    else:
        own[0], own[1] = node.operands[0], node.operands[1]
        parts.operands = own
    node.mark, node.operands[0], node.operands[1], node.info = AE_none, NULL, NULL, NULL
    for i in range(parts.count):
        operand = parts.operands[i]
        if operand != NULL and Py_REFCNT(operand) == 1:
            other = (<Value> operand).info
            (<Value> operand).info = waiting[0]
            waiting[0] = operand
            Py_XDECREF(other)
        else:
            Py_XDECREF(operand)
    PyMem_Free(block)
    Py_XDECREF(row)
    Py_XDECREF(info)


cdef inline void set_info(Value node, PyObject *info) noexcept:
    cdef PyObject *old = node.info
    Py_XINCREF(info)
    node.info = info
    Py_XDECREF(old)


cdef inline int append(Nodes *nodes, PyObject *node) except -1:
    cdef PyObject **longer
    cdef Py_ssize_t capacity
    if nodes.count == nodes.capacity:
        capacity = 2 * nodes.capacity if nodes.capacity else 1024
        longer = <PyObject **> PyMem_Realloc(nodes.items, capacity * sizeof(PyObject *))
        if longer == NULL:
            raise MemoryError
        nodes.items, nodes.capacity = longer, capacity
    nodes.items[nodes.count] = node
    nodes.count += 1
    return 0


cdef void shrink(Nodes *nodes) noexcept:
    """Free a list of more than 8 MB; a smaller one is kept, for new memory costs time."""
    if nodes.capacity > KEPT:
        PyMem_Free(nodes.items)
        nodes.items, nodes.capacity = NULL, 0


cdef int walk(PyObject *root, bint leaves) except -1:
    """Every node below `root` into `order`, operands first, as `topological_order` in `value.py`."""
    begin_walk()
    return go_on(root, leaves)


cdef inline void begin_walk() noexcept:
    global walks
    walks += WALK
    order.count = path.count = 0


cdef int go_on(PyObject *root, bint leaves) except -1:
    """The walk itself, which leaves out nodes that have its number already, and what is below those
    that are older than the horizon.

    Without `leaves` it is for `backward`: only nodes with operands, and their adjoints become 0.

    From the last node of `path` it goes to the next operand that is new, or else back. A node on
    the path keeps how many operands are dealt with: a block in `visited`, the others in the lowest
    bits of the pointer to the node, which are 0 otherwise.
    """
    cdef PyObject *node
    cdef PyObject *operand
    cdef Many *many
    cdef Py_ssize_t i
    cdef size_t place
    operand = entered(root, leaves)
    while True:
        if operand != NULL:
            if (<Value> operand).mark & (KERNEL | MANY) and not (<Value> operand).mark & OLDER:
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
    if mark >= walks or mark & OLDER or not (leaves or mark & (KERNEL | MANY)):
        return NULL
    if mark < horizon and mark & (KERNEL | MANY):
        (<Value> node).mark |= OLDER  # and keeps its number: for a derivative around, it is not
        return node
    (<Value> node).mark = (mark & (WALK - 1)) | walks
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
    nodes = topological_order(root)
    for node in nodes:
        if node.mark & (KERNEL | MANY):
            node.adjoint = 0.0
    root.adjoint += start
    return send_watched(reversed(nodes))


cdef int send_watched(nodes) except -1:
    for node in watched(nodes):
        send(<PyObject *> node)
    return 0


def topological_order(root, seen=None):
    """As `topological_order` in `value.py`."""
    cdef Py_ssize_t i
    if seen is not None or type(root) is not Value:
        return value.topological_order(root, seen)
    cdef list found = []  # before the walk: a new list may start the collector
    walk(<PyObject *> root, True)
    for i in range(order.count):
        found.append(<object> order.items[i])
    shrink(&order)
    return found


def now():
    """The number of the next walk: everything that was made before has a smaller one."""
    begin_walk()
    return walks // WALK


def path_between(inputs, outputs, long long since, running, bint whole=False):
    """As `path_between` in `paths.py`; nodes that are older than the inputs end the walk.

    By their marks, which are set for all threads alike.
    """
    cdef Py_ssize_t i
    cdef PyObject *node
    cdef list starts = values(inputs), ends = values(outputs)
    cdef list found = [], leaves = []  # before the walk: a new list may start the collector
    cdef set around = running
    cdef bint alone = not whole, some = False
    try:
        classify(starts, ends, since, around)
        for x in ends:
            alone &= (<Value> x).mark & CONSTANT != 0
        for i in range(order.count):
            node = order.items[i]
            some |= (<Value> node).mark & DEPENDS != 0
            if not alone and (<Value> node).mark & DEPENDS:
                found.append(<object> node)
            if (<Value> node).mark & CONSTANT and not (<Value> node).mark & (KERNEL | MANY):
                leaves.append(<object> node)
    finally:
        unflag(starts)
    return None if alone and some else found, leaves


def varying(outputs, long long since, running):
    """As `varying` in `paths.py`."""
    cdef list ends = values(outputs), found = []
    cdef set around = running
    try:
        classify([], ends, since, around)
        for x in ends:
            found.append(not (<Value> x).mark & CONSTANT)
    finally:
        unflag([])
    return found


cdef list values(nodes):
    cdef list found = list(nodes)
    for x in found:
        if type(x) is not Value:
            raise TypeError(f"expected Values of the native engine, got {x!r}")
    return found


cdef int classify(list starts, list ends, long long since, set around) except -1:
    """Every node below the ends into `order`, with its flags; the starts end the walk.

    It runs no Python code, which might walk too.
    """
    global horizon
    cdef Py_ssize_t i
    begin_walk()
    for x in starts:
        (<Value> x).mark = ((<Value> x).mark & (WALK - 1)) | walks | DEPENDS
        if not (<Value> x).mark & (KERNEL | MANY):
            (<Value> x).mark |= CONSTANT
    horizon = <Mark> max(since, 0) * WALK
    for x in ends:
        go_on(<PyObject *> x, True)
    for i in range(order.count):
        flag(order.items[i], since, around)
    return 0


cdef int unflag(list starts) except -1:
    global horizon
    cdef Py_ssize_t i
    horizon = 0
    for x in starts:
        (<Value> x).mark &= ~(<Mark> (DEPENDS | CONSTANT))
    for i in range(order.count):
        (<Value> order.items[i]).mark &= ~(<Mark> (DEPENDS | CONSTANT | OLDER))
    shrink(&order)
    return 0


cdef inline int flag(PyObject *node, long long since, set around) except -1:
    """Give a node its flags, after its operands."""
    cdef Parts parts = parts_of(<Value> node)
    cdef Py_ssize_t i
    cdef Mark some = 0, every = CONSTANT
    if (<Value> node).mark & OLDER:
        return 0
    for i in range(parts.count):
        if parts.operands[i] != NULL:
            some |= (<Value> parts.operands[i]).mark
            every &= (<Value> parts.operands[i]).mark
    if parts.count == 0 and (made(node) < since or PySet_Contains(around, <object> node)):
        every = 0
    (<Value> node).mark |= (some & DEPENDS) | every
    return 0


cdef inline long long made(PyObject *node) except? -1:
    """When a node was made, if that was while a derivative was taken; else 0."""
    cdef PyObject *info = (<Value> node).info
    return 0 if info == NULL else <object> PyTuple_GET_ITEM(<object> info, MADE)

