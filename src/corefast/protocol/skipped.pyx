"""The seeds of messages that were passed over in a chain and may still come (Double Ratchet, 2.6)."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from corefast.native.memory cimport explicit_bzero

from corefast import limits

cdef size_t MAX_KEPT = limits.MAX_SKIPPED_KEYS


cdef size_t kept_of(size_t count) noexcept:
    """How many of *count* skipped seeds are kept: the newest."""
    return min(count, MAX_KEPT)


cdef class SkippedKeys:
    """The seeds of one chain by index, ascending; the oldest give way to new ones."""

    def __dealloc__(self):
        if self.keys is not NULL:
            explicit_bzero(self.keys, self.size * sizeof(SkippedKey))
            free(self.keys)

    cdef const SkippedKey *find(self, uint32_t index) noexcept:
        """Return the seed of message *index*, valid until the next change; NULL when there is none (any more)."""
        cdef size_t low = 0, high = self.size, middle
        while low < high:
            middle = (low + high) // 2
            if self.keys[middle].index < index:
                low = middle + 1
            else:
                high = middle
        return &self.keys[low] if low < self.size and self.keys[low].index == index else NULL

    cdef int extend(self, const SkippedKey *passed, size_t count) except -1:
        """Append seeds whose indexes ascend from above all that are here. Nothing changes if memory is short."""
        cdef SkippedKey *keys
        cdef size_t total = kept_of(self.size + count)
        cdef size_t fresh = kept_of(count)
        cdef size_t old = total - fresh
        if not count:
            return 0
        keys = <SkippedKey *> malloc(total * sizeof(SkippedKey))
        if keys is NULL:
            raise MemoryError
        if old:
            memcpy(keys, self.keys + (self.size - old), old * sizeof(SkippedKey))
        memcpy(keys + old, passed + (count - fresh), fresh * sizeof(SkippedKey))
        self._replace(keys, total)
        return 0

    cdef void remove(self, uint32_t index) noexcept:
        """Forget the seed of message *index*."""
        cdef const SkippedKey *found = self.find(index)
        cdef size_t place
        if found is NULL:
            return
        place = found - self.keys
        self.size -= 1
        memmove(self.keys + place, self.keys + place + 1, (self.size - place) * sizeof(SkippedKey))
        explicit_bzero(self.keys + self.size, sizeof(SkippedKey))
        if not self.size:
            self._replace(NULL, 0)

    cdef void _replace(self, SkippedKey *keys, size_t size) noexcept:
        if self.keys is not NULL:
            explicit_bzero(self.keys, self.size * sizeof(SkippedKey))
            free(self.keys)
        self.keys = keys
        self.size = size
