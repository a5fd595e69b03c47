"""One connection to an SQLite file and the batches it runs, each in one call without the GIL.

A batch is filled on the event loop's thread: parameters become C values there, and the Python objects they point into
are kept. The connection's own thread then begins, binds, steps, checks and commits, or rolls back, and touches no
Python object at all. Knows no loop and no future.
"""

from cython cimport no_gc_clear

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.errno cimport EDQUOT, EFBIG, EINTR, ENOSPC, errno
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy
from posix.unistd cimport close, read, write

from corefast.store cimport library as c
from corefast.store.job cimport ROW_COUNT, Job, Op, Ops, Prepared, RowsHead, Value, commit, fetch, grow, monotonic_s
from corefast.store.library cimport Sqlite, sqlite3

from corefast import limits
from corefast.errors import RowCountUnexpected, SetupError, StoreBusy, StoreConflict, StoreError, StoreFull

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef extern from "sys/eventfd.h" nogil:
    int EFD_CLOEXEC
    int eventfd(unsigned int value, int flags)

# ── errors and cells, with the GIL ─────────────────────────────────────────────────────────────────────────────────

cdef object _error(int rc, int system_errno, object text):
    """Return the typed error of an SQLite result code; SQLite's texts name tables and columns, never values."""
    cdef int primary = rc & 0xFF
    if primary == c.SQLITE_BUSY or primary == c.SQLITE_LOCKED:
        return StoreBusy("the database is locked by another process")
    if primary == c.SQLITE_FULL or primary == c.SQLITE_IOERR and system_errno in (ENOSPC, EDQUOT, EFBIG):
        return StoreFull("the disk is full")
    if rc in (c.SQLITE_CONSTRAINT_PRIMARYKEY, c.SQLITE_CONSTRAINT_UNIQUE, c.SQLITE_CONSTRAINT_ROWID):
        return StoreConflict(text)
    if primary == c.SQLITE_RANGE:
        return StoreError("a statement was given a wrong number of parameters")
    return StoreError(f"SQLite: {text} ({rc})")


cdef int _load(object param, Value *value) except -1:
    """Turn *param* into a C value that points into it; raise `TypeError` or `OverflowError`."""
    cdef Py_ssize_t size
    if param is None:
        value.type = c.SQLITE_NULL
    elif isinstance(param, bytes):
        value.type = c.SQLITE_BLOB
        value.data = PyBytes_AS_STRING(param)
        value.size = <size_t> PyBytes_GET_SIZE(param)
    elif isinstance(param, int):
        value.type = c.SQLITE_INTEGER
        value.integer = param
    elif isinstance(param, str):
        value.type = c.SQLITE_TEXT
        value.data = PyUnicode_AsUTF8AndSize(param, &size)
        value.size = <size_t> size
    elif isinstance(param, float):
        value.type = c.SQLITE_FLOAT
        value.real = param
    else:
        raise TypeError(f"a database value cannot be {type(param).__name__}")
    return 0


cdef object _cell(const char **at):
    """Return the cell at *at* as a Python object and move past it."""
    cdef Value value
    cdef const char *data = at[0] + sizeof(Value)
    memcpy(&value, at[0], sizeof(Value))
    at[0] = data + value.size
    if value.type == c.SQLITE_INTEGER:
        return value.integer
    if value.type == c.SQLITE_BLOB:
        return PyBytes_FromStringAndSize(data, <Py_ssize_t> value.size)
    if value.type == c.SQLITE_TEXT:
        # A damaged text must not stop the rows beside it.
        return PyUnicode_DecodeUTF8(data, <Py_ssize_t> value.size, "backslashreplace")
    if value.type == c.SQLITE_FLOAT:
        return value.real
    return None


# ── the two classes ────────────────────────────────────────────────────────────────────────────────────────────────

cdef class _Slot:
    """Owns the text of one prepared statement."""

    cdef Prepared prepared
    cdef bytes sql


cdef class Batch:
    """Units of work on their way through one connection: filled, run once, read once."""

    cdef Job _job
    cdef Connection _connection
    # Where each unit's ops end, and whatever their C values point into.
    cdef list _ends
    cdef list _kept

    def __init__(self, Connection connection not None):
        self._connection = connection
        self._ends = []
        self._kept = []

    def __dealloc__(self):
        free(self._job.prelude.items)
        free(self._job.prelude.values)
        free(self._job.ops.items)
        free(self._job.ops.values)
        free(self._job.rows.data)

    def __len__(self):
        return len(self._ends)

    @property
    def seconds(self):
        """How long the run took."""
        return self._job.seconds

    def add(self, list ops not None):
        """Append one unit; raise `TypeError` or `OverflowError` for a value no database takes, and append nothing."""
        self._take(&self._job.ops, ops)
        self._ends.append(self._job.ops.count)

    def set_prelude(self, list ops not None):
        self._take(&self._job.prelude, ops)

    cdef int _take(self, Ops *ops, list items) except -1:
        cdef size_t count = ops.count, values_count = ops.values_count
        try:
            for statement, params, rows in items:
                self._take_op(ops, self._connection._slot(statement[0]), params, -1 if rows is None else rows)
        except BaseException:
            ops.count = count
            ops.values_count = values_count
            raise
        self._kept.append(items)
        return 0

    cdef int _take_op(self, Ops *ops, _Slot slot, tuple params, int64_t expected) except -1:
        cdef size_t needed = ops.values_count + <size_t> len(params)
        cdef Op *op
        if grow(<void **> &ops.items, &ops.room, ops.count + 1, sizeof(Op)) != 0:
            raise MemoryError
        if grow(<void **> &ops.values, &ops.values_room, needed, sizeof(Value)) != 0:
            raise MemoryError
        op = &ops.items[ops.count]
        op.prepared = &slot.prepared
        op.first = ops.values_count
        op.parameters = <int> len(params)
        op.expected = expected
        op.changes = op.rc = op.system_errno = 0
        for param in params:
            _load(param, &ops.values[ops.values_count])
            ops.values_count += 1
        ops.count += 1
        return 0

    def error(self):
        """Return a new exception that says why the transaction failed, or None."""
        cdef Job *job = &self._job
        if job.rc == c.SQLITE_OK:
            return None
        if job.rc == ROW_COUNT:
            return RowCountUnexpected(f"a statement changed {job.changes} rows instead of {job.expected}")
        return _error(job.rc, job.system_errno, job.text.decode("utf-8", "replace"))

    def results(self):
        """Return for each unit the rows of each of its statements that has columns; None where none has."""
        cdef list results = [None] * len(self._ends)
        cdef const char *at = self._job.rows.data
        cdef const char *end = at + self._job.rows.size
        cdef RowsHead head
        cdef Py_ssize_t unit = 0
        while at < end:
            memcpy(&head, at, sizeof(RowsHead))
            at += sizeof(RowsHead)
            while <size_t> self._ends[unit] <= head.op:
                unit += 1
            rows = [tuple([_cell(&at) for _ in range(head.columns)]) for _ in range(head.rows)]
            if results[unit] is None:
                results[unit] = [rows]
            else:
                (<list> results[unit]).append(rows)
        return results

    def errors(self):
        """Return for each op of a batch of reads its exception, or None."""
        cdef size_t index
        text = self._job.text.decode("utf-8", "replace")
        return [
            None if self._job.ops.items[index].rc == c.SQLITE_OK
            else _error(self._job.ops.items[index].rc, self._job.ops.items[index].system_errno, text)
            for index in range(self._job.ops.count)
        ]


@no_gc_clear  # closing walks the statements: they must be there still when a connection dies in a cycle
cdef class Connection:
    """One SQLite connection, used by one thread at a time.

    `start` hands a batch to the thread that is in `serve`, and `done_fd` becomes readable when it is finished. Between
    `start` and that moment nobody else may touch the connection or that batch; further ones may be filled.
    """

    cdef const Sqlite *_lib
    cdef sqlite3 *_db
    cdef dict _slots
    cdef Job *_job
    cdef Batch _running
    cdef bint _is_reader
    cdef int _wake_fd
    cdef readonly int done_fd

    def __cinit__(self):
        self._wake_fd = self.done_fd = -1

    def __init__(self, str path not None, int busy_timeout_ms, *, bint is_reader=False):
        cdef int flags = c.SQLITE_OPEN_READWRITE | c.SQLITE_OPEN_NOMUTEX
        self._slots = {}
        self._is_reader = is_reader
        self._lib = c.load_library()
        if self._lib.open_v2(path.encode(), &self._db, flags, NULL) != c.SQLITE_OK:
            raise SetupError(f"the database {path} cannot be opened: {self._message()}")
        self._lib.extended_result_codes(self._db, 1)
        self._lib.busy_timeout(self._db, busy_timeout_ms)
        self._wake_fd = eventfd(0, EFD_CLOEXEC)
        self.done_fd = eventfd(0, EFD_CLOEXEC)
        if self._wake_fd < 0 or self.done_fd < 0:
            raise OSError(errno, "eventfd")

    def __dealloc__(self):
        self._release()

    cdef str _message(self):
        return self._lib.errmsg(self._db).decode("utf-8", "replace")

    cdef _Slot _slot(self, str sql):
        """Return the statement's place; it is prepared by its first run."""
        cdef _Slot slot = self._slots.get(sql)
        if slot is None:
            if len(self._slots) >= limits.MAX_STATEMENTS:
                raise StoreError("too many different statements: their texts must be constants")
            slot = _Slot()
            slot.sql = sql.encode()
            slot.prepared.sql = slot.sql
            self._slots[sql] = slot
        return slot

    def execute(self, str script not None):
        """Run statements that return nothing; raise the typed error of the first that fails."""
        cdef bytes text = script.encode()
        cdef const char *sql = text
        cdef int rc
        with nogil:
            rc = self._lib.exec_(self._db, sql, NULL, NULL, NULL)
        if rc != c.SQLITE_OK:
            raise _error(rc, self._lib.system_errno(self._db), self._message())

    def fetch(self, str sql not None, *params):
        """Return the rows of one query, run here and now."""
        batch = Batch(self)
        batch.add([((sql,), params, None)])
        with nogil:
            fetch(self._lib, self._db, &(<Batch> batch)._job)
        (error,) = batch.errors()
        if error is not None:
            raise error
        return batch.results()[0][0]

    def start(self, Batch batch not None):
        """Hand *batch* to the serving thread."""
        cdef uint64_t one = 1
        self._running = batch
        self._job = &batch._job
        write(self._wake_fd, &one, sizeof(one))

    def take(self):
        """Return the batch that `done_fd` announced."""
        cdef uint64_t count
        read(self.done_fd, &count, sizeof(count))
        batch, self._running = self._running, None
        return batch

    def stop(self):
        """End `serve`; nothing may be running."""
        cdef uint64_t one = 1
        self._job = NULL
        write(self._wake_fd, &one, sizeof(one))

    def serve(self):
        """Run each batch that `start` gives, until `stop`; the body of the connection's thread."""
        with nogil:
            self._serve()

    cdef void _serve(self) noexcept nogil:
        cdef uint64_t one = 1, count
        cdef double start
        while True:
            # An eventfd is also the memory barrier between the two threads.
            if read(self._wake_fd, &count, sizeof(count)) < 0:
                if errno == EINTR:
                    continue
                return
            if self._job == NULL:
                return
            start = monotonic_s()
            if self._is_reader:
                fetch(self._lib, self._db, self._job)
            else:
                commit(self._lib, self._db, self._job)
            self._job.seconds = monotonic_s() - start
            write(self.done_fd, &one, sizeof(one))

    def close(self):
        """Give back statements, connection and descriptors; harmless when repeated."""
        self._release()

    cdef void _release(self) noexcept:
        if self._db != NULL:
            for slot in self._slots.values():
                self._lib.finalize((<_Slot> slot).prepared.statement)
                (<_Slot> slot).prepared.statement = NULL
            self._lib.close(self._db)
            self._db = NULL
        if self._wake_fd >= 0:
            close(self._wake_fd)
        if self.done_fd >= 0:
            close(self.done_fd)
        self._wake_fd = self.done_fd = -1
