"""A batch as C sees it, and the functions that run one without the GIL."""

from libc.stdint cimport int64_t

from corefast.store.library cimport Sqlite, sqlite3, sqlite3_stmt

cdef enum:
    # Beside SQLite's own result codes, all of them positive.
    ROW_COUNT = -1

ctypedef struct Value:
    int type
    int64_t integer
    double real
    const char *data
    size_t size

ctypedef struct Prepared:
    const char *sql
    sqlite3_stmt *statement
    int parameters

ctypedef struct Op:
    Prepared *prepared
    size_t first
    int parameters
    int64_t expected
    int64_t changes
    int rc
    int system_errno

ctypedef struct Ops:
    Op *items
    size_t count
    size_t room
    Value *values
    size_t values_count
    size_t values_room

ctypedef struct Buffer:
    char *data
    size_t size
    size_t room

ctypedef struct Job:
    Ops prelude
    Ops ops
    # Rows as the statements returned them: for each op with columns (op, columns, rows), then the cells.
    Buffer rows
    int rc
    int system_errno
    int64_t expected
    int64_t changes
    double seconds
    char text[200]

ctypedef struct RowsHead:
    size_t op
    size_t rows
    int columns

cdef int grow(void **items, size_t *room, size_t needed, size_t size) noexcept nogil
cdef void commit(const Sqlite *lib, sqlite3 *db, Job *job) noexcept nogil
cdef void fetch(const Sqlite *lib, sqlite3 *db, Job *job) noexcept nogil
cdef double monotonic_s() noexcept nogil
