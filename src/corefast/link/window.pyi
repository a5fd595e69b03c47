class Window:
    size: int
    left: int
    def __new__(cls, size: int) -> Window: ...

class Credit:
    left: int
