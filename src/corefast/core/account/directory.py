"""Which numbers this core serves: the names of its accounts, as clients and the operator say them."""

from corefast.address import canonical_number
from corefast.core.store.span import EVERY_ACCOUNT
from corefast.errors import AccountUnknown, NumberInvalid, ParameterMissing


class Directory:
    """Numbers and accounts, in the order in which they came."""

    def __init__(self) -> None:
        self._accounts: dict[str, int] = {}
        self._numbers: dict[int, str] = {}

    def add(self, account: int, number: str) -> None:
        self._accounts[number] = account
        self._numbers[account] = number

    @property
    def numbers(self) -> list[str]:
        return list(self._accounts)

    @property
    def only(self) -> str:
        """The number, where there is exactly one; else nothing."""
        return next(iter(self._accounts)) if len(self._accounts) == 1 else ""

    def number_of(self, account: int) -> str:
        """Return the account's number; nothing for `EVERY_ACCOUNT` and for one that is not served."""
        return "" if account == EVERY_ACCOUNT else self._numbers.get(account, "")

    def resolve(self, named: str) -> str:
        """Return the number that a caller means, in any spelling; nothing means the only one.

        Raises `AccountUnknown`, and `ParameterMissing` where there are several to choose from.
        """
        if named in self._accounts:
            return named
        if named:
            return self._find(named)
        if not self._accounts:
            raise AccountUnknown("no number is registered yet: POST /v1/account, or start the core with --number")
        if not self.only:
            raise ParameterMissing("there are several numbers here: name one, with X-Corefast-Account or --account")
        return self.only

    def account_of(self, named: str) -> int:
        """Return the account of a number, as `resolve`."""
        return self._accounts[self.resolve(named)]

    def _find(self, named: str) -> str:
        try:
            number = canonical_number(named)
        except NumberInvalid:
            number = ""
        if number not in self._accounts:
            raise AccountUnknown("this core does not serve that number")
        return number
