from corefast.errors import CorefastError

class Outbox:
    sent_bytes: int
    broken: CorefastError | None
