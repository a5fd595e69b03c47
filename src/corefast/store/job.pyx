"""Runs a batch against SQLite without the GIL: bind, step, check, keep the rows, commit or roll back.

Knows no Python object; whoever fills a job keeps alive what its values point into.
"""

from libc.stdlib cimport realloc
from libc.string cimport memcpy, strncpy
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from corefast.store cimport library as c


# ── arrays that grow ───────────────────────────────────────────────────────────────────────────────────────────────

cdef int grow(void **items, size_t *room, size_t needed, size_t size) noexcept nogil:
    """Make room for *needed* items; 0, or -1 without memory."""
    cdef size_t wanted = room[0]
    cdef void *grown
    if needed <= wanted:
        return 0
    if wanted < 64:
        wanted = 64
    while wanted < needed:
        wanted *= 2
    grown = realloc(items[0], wanted * size)
    if grown == NULL:
        return -1
    items[0] = grown
    room[0] = wanted
    return 0


cdef int _append(Buffer *buffer, const void *data, size_t size) noexcept nogil:
    if grow(<void **> &buffer.data, &buffer.room, buffer.size + size, 1) != 0:
        return c.SQLITE_NOMEM
    memcpy(buffer.data + buffer.size, data, size)
    buffer.size += size
    return c.SQLITE_OK


# ── one statement, without the GIL ─────────────────────────────────────────────────────────────────────────────────

cdef int _prepare(const Sqlite *lib, sqlite3 *db, Prepared *prepared) noexcept nogil:
    cdef int rc = lib.prepare_v3(db, prepared.sql, -1, c.SQLITE_PREPARE_PERSISTENT, &prepared.statement, NULL)
    if rc == c.SQLITE_OK:
        prepared.parameters = lib.bind_parameter_count(prepared.statement)
    return rc


cdef int _bind(const Sqlite *lib, sqlite3_stmt *statement, int index, const Value *value) noexcept nogil:
    # The text and blobs outlive the step (their owners are kept by the batch): SQLite need not copy them.
    if value.type == c.SQLITE_INTEGER:
        return lib.bind_int64(statement, index, value.integer)
    if value.type == c.SQLITE_BLOB:
        return lib.bind_blob64(statement, index, value.data, value.size, NULL)
    if value.type == c.SQLITE_TEXT:
        return lib.bind_text64(statement, index, value.data, value.size, NULL, c.SQLITE_UTF8)
    if value.type == c.SQLITE_FLOAT:
        return lib.bind_double(statement, index, value.real)
    return lib.bind_null(statement, index)


cdef int _keep_row(const Sqlite *lib, sqlite3_stmt *statement, int columns, Buffer *rows) noexcept nogil:
    cdef Value cell
    cdef int column, rc = c.SQLITE_OK
    for column in range(columns):
        cell.type = lib.column_type(statement, column)
        cell.size = 0
        cell.data = NULL
        if cell.type == c.SQLITE_INTEGER:
            cell.integer = lib.column_int64(statement, column)
        elif cell.type == c.SQLITE_FLOAT:
            cell.real = lib.column_double(statement, column)
        elif cell.type == c.SQLITE_TEXT:
            cell.data = <const char *> lib.column_text(statement, column)
            cell.size = <size_t> lib.column_bytes(statement, column)
        elif cell.type == c.SQLITE_BLOB:
            cell.data = <const char *> lib.column_blob(statement, column)
            cell.size = <size_t> lib.column_bytes(statement, column)
        rc = _append(rows, &cell, sizeof(Value))
        if rc == c.SQLITE_OK and cell.size > 0:
            rc = c.SQLITE_NOMEM if cell.data == NULL else _append(rows, cell.data, cell.size)
        if rc != c.SQLITE_OK:
            return rc
    return rc


cdef int _step(const Sqlite *lib, sqlite3_stmt *statement, size_t op, Buffer *rows) noexcept nogil:
    """Run a bound statement to its end; its rows go to *rows* unless that is NULL."""
    cdef RowsHead head
    cdef size_t start = 0 if rows == NULL else rows.size
    cdef int rc
    head.op = op
    head.rows = 0
    head.columns = lib.column_count(statement)
    if rows != NULL and head.columns > 0 and _append(rows, &head, sizeof(RowsHead)) != c.SQLITE_OK:
        return c.SQLITE_NOMEM
    rc = lib.step(statement)
    while rc == c.SQLITE_ROW:
        if rows != NULL:
            if _keep_row(lib, statement, head.columns, rows) != c.SQLITE_OK:
                rc = c.SQLITE_NOMEM
                break
            head.rows += 1
        rc = lib.step(statement)
    if rows != NULL and head.columns > 0:
        if rc == c.SQLITE_DONE:
            memcpy(rows.data + start, &head, sizeof(RowsHead))
        else:
            rows.size = start
    return c.SQLITE_OK if rc == c.SQLITE_DONE else rc


cdef int _run_op(const Sqlite *lib, sqlite3 *db, const Ops *ops, size_t index, Buffer *rows) noexcept nogil:
    cdef Op *op = &ops.items[index]
    cdef Prepared *prepared = op.prepared
    cdef int i, rc = c.SQLITE_OK
    if prepared.statement == NULL:
        rc = _prepare(lib, db, prepared)
    if rc == c.SQLITE_OK and prepared.parameters != op.parameters:
        rc = c.SQLITE_RANGE
    for i in range(op.parameters):
        if rc == c.SQLITE_OK:
            rc = _bind(lib, prepared.statement, i + 1, &ops.values[op.first + <size_t> i])
    if rc == c.SQLITE_OK:
        rc = _step(lib, prepared.statement, index, rows)
        if rc == c.SQLITE_OK:
            op.changes = lib.changes(db)
            if op.expected >= 0 and op.changes != op.expected:
                rc = ROW_COUNT
    op.rc = rc
    return rc


# ── one batch, without the GIL ─────────────────────────────────────────────────────────────────────────────────────

cdef void _note(const Sqlite *lib, sqlite3 *db, Job *job, const Op *op) noexcept nogil:
    """Keep what the failure of *op* (or of BEGIN or COMMIT) was, before anything else resets it."""
    job.system_errno = lib.system_errno(db)
    strncpy(job.text, lib.errmsg(db), sizeof(job.text) - 1)
    if op != NULL:
        job.expected = op.expected
        job.changes = op.changes


cdef int _run_all(const Sqlite *lib, sqlite3 *db, Job *job, const Ops *ops, Buffer *rows) noexcept nogil:
    cdef size_t index
    cdef int rc
    for index in range(ops.count):
        rc = _run_op(lib, db, ops, index, rows)
        if rc != c.SQLITE_OK:
            _note(lib, db, job, &ops.items[index])
        if ops.items[index].prepared.statement != NULL:
            lib.reset(ops.items[index].prepared.statement)
        if rc != c.SQLITE_OK:
            return rc
    return c.SQLITE_OK


cdef void commit(const Sqlite *lib, sqlite3 *db, Job *job) noexcept nogil:
    """Run *job* as one transaction: all of it is durable, or `job.rc` says why nothing happened."""
    cdef int rc = lib.exec_(db, "BEGIN IMMEDIATE", NULL, NULL, NULL)
    if rc != c.SQLITE_OK:
        _note(lib, db, job, NULL)
        job.rc = rc
        return
    rc = _run_all(lib, db, job, &job.prelude, NULL)
    if rc == c.SQLITE_OK:
        rc = _run_all(lib, db, job, &job.ops, &job.rows)
    if rc == c.SQLITE_OK:
        rc = lib.exec_(db, "COMMIT", NULL, NULL, NULL)
        if rc != c.SQLITE_OK:
            _note(lib, db, job, NULL)
    if not lib.get_autocommit(db):
        lib.exec_(db, "ROLLBACK", NULL, NULL, NULL)
    job.rc = rc


cdef void fetch(const Sqlite *lib, sqlite3 *db, Job *job) noexcept nogil:
    """Run each op of *job* for itself, outside of a transaction; each has its own `rc`."""
    cdef size_t index
    for index in range(job.ops.count):
        if _run_op(lib, db, &job.ops, index, &job.rows) != c.SQLITE_OK:
            job.ops.items[index].system_errno = lib.system_errno(db)
            _note(lib, db, job, NULL)
        if job.ops.items[index].prepared.statement != NULL:
            lib.reset(job.ops.items[index].prepared.statement)


cdef double monotonic_s() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double> now.tv_sec + <double> now.tv_nsec * 1e-9
