"""Of which imports a user may read or start the runs: of an import as a whole, or of single instances of it.

The DAG of an import is for every instance; an instance with a schedule has a DAG of its own, with rights of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import and_, false, or_

from customer_import.vocabulary import ImportType, dag_id_of, dag_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement


@dataclass(frozen=True)
class Rights:
    """Imports and instances of which a user may do something.

    Attributes:
        everywhere: Imports of which it may be done at every instance.
        single: Imports with the instance at which it may be done.
    """

    everywhere: frozenset[ImportType] = frozenset()
    single: frozenset[tuple[ImportType, str]] = frozenset()

    @classmethod
    def to_dags(cls, dag_ids: Iterable[str]) -> Self:
        """Return what follows from rights to DAGs; DAGs that are no imports give none."""
        dags = [dag for dag_id in dag_ids if (dag := dag_of(dag_id))]
        return cls(
            frozenset(kind for kind, instance in dags if instance is None),
            frozenset((kind, instance) for kind, instance in dags if instance is not None),
        )

    @property
    def types(self) -> tuple[ImportType, ...]:
        """The imports of which it may be done anywhere, in their order."""
        known = self.everywhere | {kind for kind, _ in self.single}
        return tuple(kind for kind in ImportType if kind in known)

    def cover(self, import_type: ImportType, instance: str | None) -> bool:
        """Whether it may be done at an instance; ``None``: at every one."""
        return import_type in self.everywhere or (import_type, instance) in self.single

    def has(self, dag_id: str) -> bool:
        """Whether it may be done with one DAG: that of an import, or that of an instance."""
        found = dag_of(dag_id)
        return found is not None and (
            found in self.single or (found[0] in self.everywhere and found[1] is None)
        )

    def only(self, import_type: ImportType, instance: str | None = None) -> Rights:
        """Return those of one import, and of one instance if it is named."""
        if instance is not None:
            is_covered = self.cover(import_type, instance)
            return Rights(single=frozenset([(import_type, instance)] if is_covered else []))
        return Rights(
            self.everywhere & {import_type},
            frozenset(each for each in self.single if each[0] is import_type),
        )

    def rows(self, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - columns of any table that has these two
        """Return the condition for rows of a table with the columns ``import_type`` and ``instance``."""
        return or_(
            false(),
            columns.import_type.in_(sorted(self.everywhere)),
            *(
                and_(columns.import_type == kind, columns.instance == instance)
                for kind, instance in sorted(self.single)
            ),
        )

    def dag_id(self, import_type: ImportType, instance: str | None) -> str:
        """Return the DAG by which it may be done at an instance: the import's if that may be, else the instance's."""
        is_single = (import_type, instance) in self.single
        return dag_id_of(
            import_type, instance if is_single and import_type not in self.everywhere else None
        )
