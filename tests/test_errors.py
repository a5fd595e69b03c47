"""The tree of errors: one name and one code for each leaf, whichever area it stands in."""

from collections import Counter
from collections.abc import Iterator

from corefast import errors


def below(kind: type[errors.CorefastError]) -> Iterator[type[errors.CorefastError]]:
    """Yield what is below *kind* in the tree, as far as `corefast.errors` defines it."""
    for one in kind.__subclasses__():
        if one.__module__.startswith("corefast.errors."):
            yield one
        yield from below(one)


def test_every_error_is_to_be_had_from_the_tree_under_its_name():
    found = {one.__name__: one for one in below(errors.CorefastError)}
    assert len(found) > 100
    assert {name: getattr(errors, name, None) for name in found} == found


def test_no_two_errors_share_a_name_or_a_code():
    kinds = list(below(errors.CorefastError))
    names = Counter(one.__name__ for one in kinds)
    codes = Counter(one.code for one in kinds if "code" in vars(one))
    assert [key for count in (names, codes) for key, times in count.items() if times > 1] == []
