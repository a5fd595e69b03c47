"""The database."""

from corefast.errors.blame import CorefastError, SetupError


class StoreError(CorefastError):
    """The database failed; the batch was rolled back."""

    code = "store"


class StoreBusy(StoreError):
    code = "store.busy"


class StoreFull(StoreError):
    code = "store.full"


class StoreConflict(StoreError):
    """A unique key exists already."""

    code = "store.conflict"


class RowCountUnexpected(StoreError):
    """A statement that had to change an exact number of rows changed another: an invariant broke or a lease is lost."""

    code = "store.row_count"


class SchemaTooNew(SetupError):
    code = "schema.too_new"
