"""Media providers: names that stand for how links behind a login are fetched. Pure."""

import re

from msgspec import UNSET

from corefast.errors import ParameterInvalid
from corefast.limits import MAX_PROVIDERS
from corefast.wire.settings import Provider

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_SECRET_CHARACTERS = 2_048


def check_providers(providers: list[Provider], total: int) -> None:
    """Raise `ParameterInvalid` where one of *providers* is not usable, or they become too many."""
    if total > MAX_PROVIDERS:
        raise ParameterInvalid(f"there are at most {MAX_PROVIDERS} media providers")
    for at, each in enumerate(providers):
        if not _NAME.fullmatch(each.name):
            raise ParameterInvalid(f"`[{at}].name` has 1 to 64 letters, digits or characters of . _ -")
        if each.type != "www":
            raise ParameterInvalid(f'`[{at}].type` has to be "www"')
        bearer, basic = each.config.bearer, each.config.basic
        if (bearer is UNSET) == (basic is UNSET):
            raise ParameterInvalid(f"`[{at}].config` has either `bearer` or `basic`")
        for secret in (bearer,) if basic is UNSET else (basic.username, basic.password):
            # It becomes a header of a request: no line may end in it.
            if not secret or len(str(secret)) > _MAX_SECRET_CHARACTERS or any(ch < " " for ch in str(secret)):
                raise ParameterInvalid(f"`[{at}].config` holds an empty or unfit text")
