"""The seeds of messages that were passed over in a chain and may still come (Double Ratchet, 2.6).

They are stored in blocks: block *n* holds those of the messages from n * BLOCK_KEYS on, so that a jump becomes few rows
and taking one seed rewrites one small row.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from corefast.native.memory cimport explicit_bzero

from corefast import limits

cdef size_t MAX_KEPT = limits.MAX_SKIPPED_KEYS

cdef enum:
    LEAST_ROOM = 4
    LOOSE = 16          # places of taken seeds that never are a reason to tidy up


cdef size_t kept_of(size_t count) noexcept:
    """How many of *count* skipped seeds are kept: the newest."""
    return min(count, MAX_KEPT)


cdef void wipe_keys(SkippedKey *keys, size_t count) noexcept:
    """Overwrite and free seeds; *keys* may be NULL."""
    if keys is not NULL:
        explicit_bzero(keys, count * sizeof(SkippedKey))
        free(keys)


cdef class SkippedKeys:
    """The seeds of one chain by index, ascending; the oldest give way to new ones.

    A queue in one array, so that appending and taking do not depend on how many there are, but for a search in at most
    12 steps. A taken seed is wiped at once; its place is freed when more places are taken than are not.
    """

    def __dealloc__(self):
        wipe_keys(self.keys, self.room)

    cdef size_t at_or_above(self, uint64_t index) noexcept:
        """Return the place of the first seed, be it taken, that is not below *index*; `end` where there is none."""
        cdef size_t low = self.first, high = self.end, middle
        while low < high:
            middle = (low + high) // 2
            if self.keys[middle].index < index:
                low = middle + 1
            else:
                high = middle
        return low

    cdef const SkippedKey *find(self, uint32_t index) noexcept:
        """Return the seed of message *index*, valid until the next change; NULL when there is none (any more)."""
        cdef size_t place = self.at_or_above(index)
        if place == self.end or self.keys[place].index != index or self.keys[place].is_taken:
            return NULL
        return &self.keys[place]

    cdef int extend(self, const SkippedKey *passed, size_t count) except -1:
        """Append seeds whose indexes ascend from above all that are here. Nothing changes if memory is short."""
        cdef size_t fresh = kept_of(count)
        cdef size_t i, total = self.size + fresh
        if not count:
            return 0
        passed += count - fresh
        if self.end + fresh > self.room:
            # Exact at first, half as much again later: a copy of n seeds pays for n / 2 appended ones.
            self._rebuild(max(total, kept_of(total) * 3 // 2) if self.size else max(fresh, <size_t> LEAST_ROOM))
        for i in range(fresh):
            if not i or passed[i].index >> BLOCK_SHIFT != passed[i - 1].index >> BLOCK_SHIFT:
                self._change(passed[i].index)
        self._evict(total - kept_of(total))
        memcpy(self.keys + self.end, passed, fresh * sizeof(SkippedKey))
        self.end += fresh
        self.size += fresh
        return 0

    cdef int remove(self, uint32_t index) except -1:
        """Forget the seed of message *index*."""
        cdef SkippedKey *found = <SkippedKey *> self.find(index)
        if found is NULL:
            return 0
        self._change(index)
        explicit_bzero(found.seed, sizeof(found.seed))
        found.is_taken = True
        self.size -= 1
        while self.first < self.end and self.keys[self.first].is_taken:
            self.first += 1
        if self.end - self.first > 2 * self.size + LOOSE or not self.size:
            try:
                self._rebuild(self.size)
            except MemoryError:
                pass            # it stays loose
        return 0

    cdef int _change(self, uint32_t index) except -1:
        if self.changed is None:
            self.changed = set()
        self.changed.add(index >> BLOCK_SHIFT)
        return 0

    cdef int _evict(self, size_t excess) except -1:
        """Forget the oldest seeds."""
        cdef SkippedKey *oldest
        while excess:
            oldest = &self.keys[self.first]
            if not oldest.is_taken:
                self._change(oldest.index)
                self.size -= 1
                excess -= 1
            explicit_bzero(oldest, sizeof(SkippedKey))
            self.first += 1
        return 0

    cdef int _rebuild(self, size_t room) except -1:
        """Move what is not taken to an array of *room* places, none where that is 0."""
        cdef SkippedKey *keys = NULL
        cdef size_t place, count = 0
        if room:
            keys = <SkippedKey *> malloc(room * sizeof(SkippedKey))
            if keys is NULL:
                raise MemoryError
        for place in range(self.first, self.end):
            if not self.keys[place].is_taken:
                keys[count] = self.keys[place]
                count += 1
        wipe_keys(self.keys, self.room)
        self.keys = keys
        self.first = 0
        self.end = count
        self.room = room
        return 0
