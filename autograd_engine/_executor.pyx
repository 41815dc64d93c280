# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: embedsignature=True, embedsignature.format=clinic
"""Runs plans: what `compile` makes of a function, replayed on batches in C (see `_executor.h`).

All the arithmetic happens without the interpreter's lock. What a call needs of memory is a
workspace, which the next call takes over; calls from several threads at once have one each.
"""

import threading

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

cdef extern from *:
    """
    #ifdef _WIN32
    #include <windows.h>
    #define ae_wait() Sleep(0)
    #else
    #include <sched.h>
    #define ae_wait() sched_yield()
    #endif
    """
    void ae_wait() nogil

cdef extern from "_executor.h" nogil:
    ctypedef struct ae_column:
        char *data
        Py_ssize_t stride
    ctypedef struct ae_lanes:
        pass
    ctypedef struct ae_engine:
        const char *name
        void (*chunks)(
            const ae_plan *, const ae_workspace *, ae_lanes *, Py_ssize_t, Py_ssize_t
        ) noexcept nogil
    ctypedef struct ae_plan:
        int **code
        Py_ssize_t *length
        const double *start
        int *pack
        Py_ssize_t uniforms, packed, registers, accumulators, sums, in_columns, out_columns
        Py_ssize_t block, size
        int exclusive
        const ae_engine *engine
    ctypedef struct ae_workspace:
        ae_workspace *next
        double *u
        ae_column *in_ "in"
        ae_column *out
        ae_lanes *lanes
        Py_ssize_t chunks
    ctypedef struct ae_opcode:
        const char *name
    const ae_opcode *AE_OPCODES
    int AE_PROLOGUE, AE_SETUP, AE_BODY, AE_EPILOGUE, AE_SECTIONS
    int AE_OPS
    const char *AE_HASH
    const ae_engine *const *ae_engines()
    const char *ae_check(ae_plan *, int, char *, Py_ssize_t *)
    int ae_all_within(const int *, Py_ssize_t, Py_ssize_t)
    ae_workspace *ae_new_workspace(const ae_plan *)
    void ae_free_workspace(ae_workspace *)
    int ae_begin(const ae_plan *, ae_workspace *, Py_ssize_t, Py_ssize_t)
    void ae_prologue(const ae_plan *, ae_workspace *)
    void ae_epilogue(const ae_plan *, ae_workspace *)

OPCODES = {AE_OPCODES[op].name.decode(): op for op in range(AE_OPS) if AE_OPCODES[op].name}
KERNELS_HASH = AE_HASH.decode()
SECTIONS = ("prologue", "setup", "body", "epilogue")

cdef const ae_engine *const *_engines = ae_engines()


def _engine_names():
    names = []
    while _engines[len(names)]:
        names.append(_engines[len(names)].name.decode())
    return tuple(names)


ENGINES = _engine_names()

cdef void *_copied(numbers, str format, Py_ssize_t *length) except NULL:
    """A copy of a buffer, of ints ("i") or doubles ("d"), or of the bytes of one."""
    try:
        view = memoryview(numbers).cast("B").cast(format)
    except TypeError as error:
        raise ValueError(f"Executor: expected a buffer of {format!r}, got {numbers!r}") from error
    cdef bytes data = view.tobytes()
    cdef void *memory = malloc(len(data) + 1)
    if memory == NULL:
        raise MemoryError
    memcpy(memory, <const char *> data, len(data))
    length[0] = len(view)
    return memory


cdef class Shared:
    """The parts of a call. Who has the interpreter's lock takes the next; nobody takes one twice."""

    cdef Executor executor
    cdef ae_workspace *w
    cdef Py_ssize_t parts, taken, running

    def work(self):
        """Run parts until there are none left; a thread that comes too late finds none."""
        cdef Py_ssize_t i, first, last
        while self.taken < self.parts:
            i = self.taken
            self.taken += 1
            self.running += 1
            first = self.w.chunks * i // self.parts
            last = self.w.chunks * (i + 1) // self.parts
            with nogil:
                self.executor.plan.engine.chunks(
                    &self.executor.plan, self.w, self.w.lanes + i, first, last
                )
            self.running -= 1


cdef class Executor:
    """A plan, checked and ready to run, on one call or on several at the same time.

    Parameters
    ----------
    uniforms : buffer of double
        What u holds at the start: the constants in their places, 0 elsewhere.
    prologue, setup, body, epilogue : buffer of int32
        The code of the four sections; `OPCODES` has the numbers of the instructions.
    pack : buffer of int32
        Which uniform numbers lie side by side for MATRIX.
    outputs : buffer of int32
        Which uniform numbers are results.
    registers, accumulators : int
        How many the body uses.
    block : int
        Most lanes at a time, a multiple of 8.
    inputs, first_input : int
        So many inputs are written into u, from this place on.
    sums : int
        Where in u the sums over lanes go.
    size : int
        Where in u the number of lanes goes; -1: nowhere.
    in_columns, out_columns : int
        How many there are.
    engine : str
        One of `ENGINES`, which differ in the instructions of the processor that they use.

    Raises
    ------
    ValueError
        When an instruction is wrong, or leads out of the memory that the numbers above allow.

    Notes
    -----
    Buffers may also be `bytes`. A plan that gives wrong results is not found out, only one that
    could do harm.
    """

    cdef ae_plan plan
    cdef ae_workspace *spare
    cdef int *outputs
    cdef readonly Py_ssize_t output_count, inputs, first_input

    def __cinit__(
        self, *, uniforms, prologue=b"", setup=b"", body=b"", epilogue=b"", pack=b"", outputs=b"",
        Py_ssize_t registers=0, Py_ssize_t accumulators=0, Py_ssize_t block=64,
        Py_ssize_t inputs=0, Py_ssize_t first_input=0, Py_ssize_t sums=0, Py_ssize_t size=-1,
        Py_ssize_t in_columns=0, Py_ssize_t out_columns=0, str engine=ENGINES[0],
    ):
        cdef ae_plan *plan = &self.plan
        cdef int section
        plan.start = <const double *> _copied(uniforms, "d", &plan.uniforms)
        plan.pack = <int *> _copied(pack, "i", &plan.packed)
        self.outputs = <int *> _copied(outputs, "i", &self.output_count)
        for section, code in enumerate((prologue, setup, body, epilogue)):
            plan.code[section] = <int *> _copied(code, "i", &plan.length[section])
        plan.registers, plan.accumulators, plan.block = registers, accumulators, block
        plan.sums, plan.size = sums, size
        plan.in_columns, plan.out_columns = in_columns, out_columns
        self.inputs, self.first_input = inputs, first_input
        plan.engine = _engines[ENGINES.index(engine)]
        self._check_sizes()
        self._check_code()

    cdef _check_sizes(self):
        cdef ae_plan *plan = &self.plan
        cdef Py_ssize_t limit = 1 << 40, u = plan.uniforms
        if plan.block < 8 or plan.block % 8 or plan.block > 1 << 20:
            raise ValueError(f"Executor: block must be a multiple of 8, got {plan.block}")
        for name, number in (
            ("registers", plan.registers), ("accumulators", plan.accumulators),
            ("in_columns", plan.in_columns), ("out_columns", plan.out_columns),
        ):
            if not 0 <= number <= limit // plan.block:
                raise ValueError(f"Executor: {name} = {number} is out of bounds")
        for name, first, count in (
            ("inputs", self.first_input, self.inputs), ("sums", plan.sums, plan.accumulators),
            ("size", max(plan.size, 0), plan.size >= 0),
        ):
            if not (0 <= first <= u and 0 <= count <= u - first):
                raise ValueError(f"Executor: {name} at {first} leave the {u} uniforms")
        if not ae_all_within(plan.pack, plan.packed, u):
            raise ValueError(f"Executor: pack leaves the {u} uniforms")
        if not ae_all_within(self.outputs, self.output_count, u):
            raise ValueError(f"Executor: outputs leave the {u} uniforms")

    cdef _check_code(self):
        cdef ae_plan *plan = &self.plan
        cdef Py_ssize_t at = 0
        cdef int section, op
        cdef const char *wrong
        cdef char *owned = <char *> calloc(plan.accumulators + 1, 1)
        if owned == NULL:
            raise MemoryError
        plan.exclusive = True  # as long as no accumulator is owned twice
        try:
            for section in range(AE_SECTIONS):
                wrong = ae_check(plan, section, owned, &at)
                if wrong == NULL:
                    continue
                op = plan.code[section][at]
                known = 0 < op < AE_OPS and AE_OPCODES[op].name
                name = AE_OPCODES[op].name.decode() if known else f"opcode {op}"
                raise ValueError(
                    f"Executor: {SECTIONS[section]}[{at}] ({name}): {wrong.decode()}"
                )
            for at in range(plan.accumulators):
                plan.exclusive &= owned[at]
        finally:
            free(owned)

    def __dealloc__(self):
        cdef ae_workspace *w
        cdef int section
        while self.spare != NULL:
            w = self.spare
            self.spare = w.next
            ae_free_workspace(w)
        free(<void *> self.plan.start)
        free(self.plan.pack)
        free(self.outputs)
        for section in range(AE_SECTIONS):
            free(self.plan.code[section])

    @property
    def engine(self):
        """One of `ENGINES`."""
        return self.plan.engine.name.decode()

    # --- for C: take a workspace; set w.u[first_input ...], w.in_, w.out; execute; read w.u; give ---

    cdef ae_workspace *take(self) except NULL:
        cdef ae_workspace *w = self.spare
        if w != NULL:
            self.spare = w.next
            return w
        w = ae_new_workspace(&self.plan)
        if w == NULL:
            raise MemoryError
        return w

    cdef void give(self, ae_workspace *w) noexcept:
        w.next = self.spare
        self.spare = w

    cdef int execute(self, ae_workspace *w, Py_ssize_t n, Py_ssize_t threads) except -1:
        cdef ae_plan *plan = &self.plan
        if not ae_begin(plan, w, n, threads):
            raise MemoryError
        if w.chunks == 0 and plan.length[AE_PROLOGUE] + plan.length[AE_EPILOGUE] < 1000:
            ae_prologue(plan, w)  # sooner done than the lock is released
            ae_epilogue(plan, w)
            return 0
        with nogil:
            ae_prologue(plan, w)
            if threads <= 1 or w.chunks <= 1:
                plan.engine.chunks(plan, w, w.lanes, 0, w.chunks)
            else:
                with gil:
                    self.share(w, min(threads, w.chunks))
            ae_epilogue(plan, w)
        return 0

    cdef int share(self, ae_workspace *w, Py_ssize_t threads) except -1:
        """Every thread runs parts of the chunks, this one too, until there are none left."""
        cdef Shared shared = Shared.__new__(Shared)
        shared.executor, shared.w, shared.parts = self, w, threads
        interrupt = None
        try:
            for _ in range(threads - 1):
                threading.Thread(target=shared.work, daemon=True).start()
        except RuntimeError:  # no more threads: then this one does it all
            pass
        except BaseException as error:  # Ctrl-C; until all parts are done, w is in use
            interrupt = error
        shared.work()
        while shared.running:
            with nogil:
                ae_wait()
        if interrupt is not None:
            raise interrupt
        return 0

    def run(self, inputs, columns, Py_ssize_t n, outputs, lane_outputs=(), Py_ssize_t threads=1):
        """Run the plan on n lanes.

        Parameters
        ----------
        inputs : buffer of double
            The uniform inputs.
        columns : sequence of buffers of double
            One number for each lane and column of the batch; any strides.
        n : int
            The number of lanes; 1 where there are none.
        outputs : writable buffer of double
            Gets the uniform results.
        lane_outputs : sequence of writable buffers of double
            Get the results that every lane has; any strides.
        threads : int
            At most so many take part; results do not depend on it.
        """
        cdef ae_plan *plan = &self.plan
        cdef Py_ssize_t i, opened = 0, count = 2 + plan.in_columns + plan.out_columns
        cdef Py_buffer *buffers
        cdef ae_workspace *w = NULL
        if n < 1:
            raise ValueError(f"run: needs at least one lane, got n = {n}")
        if len(columns) != plan.in_columns or len(lane_outputs) != plan.out_columns:
            raise ValueError(
                f"run: takes {plan.in_columns} columns and {plan.out_columns} lane outputs, "
                f"got {len(columns)} and {len(lane_outputs)}"
            )
        buffers = <Py_buffer *> malloc(count * sizeof(Py_buffer))
        if buffers == NULL:
            raise MemoryError
        try:
            for thing in (inputs, outputs, *columns, *lane_outputs):
                writable = opened == 1 or opened >= 2 + plan.in_columns
                PyObject_GetBuffer(
                    thing, &buffers[opened],
                    PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0),
                )
                opened += 1
                self._check_buffer(
                    &buffers[opened - 1],
                    self.inputs if opened == 1 else self.output_count if opened == 2 else n,
                )
            w = self.take()
            for i in range(self.inputs):
                w.u[self.first_input + i] = (
                    <double *> (<char *> buffers[0].buf + i * buffers[0].strides[0])
                )[0]
            for i in range(plan.in_columns):
                w.in_[i] = ae_column(<char *> buffers[2 + i].buf, buffers[2 + i].strides[0])
            for i in range(plan.out_columns):
                w.out[i] = ae_column(
                    <char *> buffers[2 + plan.in_columns + i].buf,
                    buffers[2 + plan.in_columns + i].strides[0],
                )
            self.execute(w, n, threads)
            for i in range(self.output_count):
                (<double *> (<char *> buffers[1].buf + i * buffers[1].strides[0]))[0] = (
                    w.u[self.outputs[i]]
                )
        finally:
            for i in range(opened):
                PyBuffer_Release(&buffers[i])
            free(buffers)
            if w != NULL:
                self.give(w)

    cdef _check_buffer(self, Py_buffer *buffer, Py_ssize_t length):
        if (
            buffer.ndim != 1 or buffer.shape[0] != length or buffer.itemsize != sizeof(double)
            or buffer.format == NULL or buffer.format.decode() not in ("d", "@d", "=d")
        ):
            raise ValueError(f"run: expected {length} doubles in one dimension")


include "_calls.pxi"
