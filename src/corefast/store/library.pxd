"""The functions of libsqlite3 that the store calls, as a table filled at run time."""

from libc.stdint cimport int64_t, uint64_t

ctypedef void sqlite3
ctypedef void sqlite3_stmt

ctypedef void (*destructor_t)(void *) noexcept nogil

cdef struct Sqlite:
    const char *(*libversion)() noexcept nogil
    int (*libversion_number)() noexcept nogil
    int (*threadsafe)() noexcept nogil
    int (*open_v2)(const char *path, sqlite3 **db, int flags, const char *vfs) noexcept nogil
    int (*close)(sqlite3 *db) noexcept nogil
    int (*busy_timeout)(sqlite3 *db, int ms) noexcept nogil
    int (*extended_result_codes)(sqlite3 *db, int on) noexcept nogil
    int (*exec_)(sqlite3 *db, const char *sql, void *row, void *arg, char **error) noexcept nogil
    int (*prepare_v3)(sqlite3 *db, const char *sql, int size, unsigned int flags, sqlite3_stmt **statement,
                      const char **tail) noexcept nogil
    int (*finalize)(sqlite3_stmt *statement) noexcept nogil
    int (*step)(sqlite3_stmt *statement) noexcept nogil
    int (*reset)(sqlite3_stmt *statement) noexcept nogil
    int (*changes)(sqlite3 *db) noexcept nogil
    int (*get_autocommit)(sqlite3 *db) noexcept nogil
    const char *(*errmsg)(sqlite3 *db) noexcept nogil
    int (*system_errno)(sqlite3 *db) noexcept nogil
    int (*bind_parameter_count)(sqlite3_stmt *statement) noexcept nogil
    int (*bind_null)(sqlite3_stmt *statement, int index) noexcept nogil
    int (*bind_int64)(sqlite3_stmt *statement, int index, int64_t value) noexcept nogil
    int (*bind_double)(sqlite3_stmt *statement, int index, double value) noexcept nogil
    int (*bind_text64)(sqlite3_stmt *statement, int index, const char *text, uint64_t size, destructor_t free,
                       unsigned char encoding) noexcept nogil
    int (*bind_blob64)(sqlite3_stmt *statement, int index, const void *blob, uint64_t size,
                       destructor_t free) noexcept nogil
    int (*column_count)(sqlite3_stmt *statement) noexcept nogil
    int (*column_type)(sqlite3_stmt *statement, int column) noexcept nogil
    int64_t (*column_int64)(sqlite3_stmt *statement, int column) noexcept nogil
    double (*column_double)(sqlite3_stmt *statement, int column) noexcept nogil
    const unsigned char *(*column_text)(sqlite3_stmt *statement, int column) noexcept nogil
    const void *(*column_blob)(sqlite3_stmt *statement, int column) noexcept nogil
    int (*column_bytes)(sqlite3_stmt *statement, int column) noexcept nogil

cdef enum:
    SQLITE_OK = 0
    SQLITE_BUSY = 5
    SQLITE_LOCKED = 6
    SQLITE_NOMEM = 7
    SQLITE_READONLY = 8
    SQLITE_IOERR = 10
    SQLITE_FULL = 13
    SQLITE_CANTOPEN = 14
    SQLITE_CONSTRAINT = 19
    SQLITE_RANGE = 25
    SQLITE_NOTADB = 26
    SQLITE_ROW = 100
    SQLITE_DONE = 101

    SQLITE_CONSTRAINT_PRIMARYKEY = 1555
    SQLITE_CONSTRAINT_UNIQUE = 2067
    SQLITE_CONSTRAINT_ROWID = 2579

    SQLITE_INTEGER = 1
    SQLITE_FLOAT = 2
    SQLITE_TEXT = 3
    SQLITE_BLOB = 4
    SQLITE_NULL = 5

    SQLITE_UTF8 = 1
    SQLITE_OPEN_READWRITE = 0x2
    SQLITE_OPEN_CREATE = 0x4
    SQLITE_OPEN_NOMUTEX = 0x8000
    SQLITE_PREPARE_PERSISTENT = 0x1

cdef const Sqlite *load_library() except NULL
