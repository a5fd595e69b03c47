"""libsqlite3, found at run time: no header is needed to build, and the process holds one copy of it.

The standard library's `sqlite3` must not be imported beside it: closing a file in one copy of SQLite drops the POSIX
locks of another.
"""

from corefast.errors import SetupError

cdef extern from "dlfcn.h" nogil:
    int RTLD_NOW
    void *dlopen(const char *name, int flags)
    void *dlsym(void *library, const char *name)

# In the order of the fields of `Sqlite`.
NAMES = (
    "libversion", "libversion_number", "threadsafe", "open_v2", "close", "busy_timeout", "extended_result_codes",
    "exec", "prepare_v3", "finalize", "step", "reset", "changes", "get_autocommit", "errmsg", "system_errno",
    "bind_parameter_count", "bind_null", "bind_int64", "bind_double", "bind_text64", "bind_blob64",
    "column_count", "column_type", "column_int64", "column_double", "column_text", "column_blob", "column_bytes",
)

# RETURNING came with 3.35.
cdef int OLDEST = 3035000

cdef Sqlite library
cdef bint is_loaded = False


cdef const Sqlite *load_library() except NULL:
    """Return the function table; raise `SetupError` where the library is absent, too old or not thread-safe."""
    global is_loaded
    if not is_loaded:
        _fill()
        _check()
        is_loaded = True
    return &library


cdef int _fill() except -1:
    # POSIX: a function pointer and a data pointer have one form, so the table fills as an array.
    cdef void **slots = <void **> &library
    cdef void *handle = dlopen("libsqlite3.so.0", RTLD_NOW)
    if handle == NULL:
        raise SetupError("libsqlite3.so.0 was not found: install the Debian package libsqlite3-0")
    assert len(NAMES) * sizeof(void *) == sizeof(Sqlite)
    for index, name in enumerate(NAMES):
        symbol = b"sqlite3_" + name.encode()
        slots[<Py_ssize_t> index] = dlsym(handle, symbol)
        if slots[<Py_ssize_t> index] == NULL:
            raise SetupError(f"libsqlite3.so.0 has no sqlite3_{name}: install libsqlite3-0 3.35 or newer")
    return 0


cdef int _check() except -1:
    if library.libversion_number() < OLDEST:
        raise SetupError(f"SQLite {library.libversion().decode()} is too old: install libsqlite3-0 3.35 or newer")
    if not library.threadsafe():
        raise SetupError("this libsqlite3 was built without threads: install the Debian package libsqlite3-0")
    return 0
