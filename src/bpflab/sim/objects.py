"""Objects of the simulated kernel: counted references, ids, and the tables that find them by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from bpflab.abi.errno import Errno
from bpflab.sim.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator


class KernelObject:
    """Something that descriptors, pins and other objects hold.

    Who makes it holds the first reference. `put` of the last one frees it: `free` releases what it
    holds itself. `opened` and `closed` count the holders in user space (descriptors and pins).
    """

    kind: ClassVar[str] = "object"

    def __init__(self) -> None:
        self.id = 0
        self.references = 1
        self.users = 0

    def get(self) -> None:
        """Take one more reference."""
        self.references += 1

    def put(self) -> None:
        """Give a reference back."""
        self.references -= 1
        if not self.references:
            self.free()

    def opened(self) -> None:
        """Note one more holder in user space."""
        self.users += 1

    def closed(self) -> None:
        """Note one holder in user space less; with the last one `abandoned` is called."""
        self.users -= 1
        if not self.users:
            self.abandoned()

    def abandoned(self) -> None:
        """Nobody in user space holds it any more; it lives on while the kernel does."""

    def free(self) -> None:
        """Release what it holds; nobody has a reference."""

    def readable(self) -> bool:
        """Whether poll would report its descriptor as readable."""
        return False


ObjectT = TypeVar("ObjectT", bound=KernelObject)


class IdTable(Generic[ObjectT]):
    """The objects of one kind by id. Ids start at 1 and are not given twice."""

    def __init__(self) -> None:
        self._objects: dict[int, ObjectT] = {}
        self._last = 0

    def __iter__(self) -> Iterator[ObjectT]:
        return iter(list(self._objects.values()))

    def __len__(self) -> int:
        return len(self._objects)

    def add(self, target: ObjectT) -> ObjectT:
        """Give the object the next id."""
        self._last += 1
        target.id = self._last
        self._objects[target.id] = target
        return target

    def remove(self, target: ObjectT) -> None:
        """Forget the object."""
        self._objects.pop(target.id, None)

    def get(self, number: int) -> ObjectT:
        """Return the object of that id; ENOENT."""
        try:
            return self._objects[number]
        except KeyError:
            raise Refusal(Errno.ENOENT) from None

    def after(self, number: int) -> int:
        """Return the lowest id above `number`; ENOENT when there is none."""
        following = min((each for each in self._objects if each > number), default=0)
        if not following:
            raise Refusal(Errno.ENOENT)
        return following
