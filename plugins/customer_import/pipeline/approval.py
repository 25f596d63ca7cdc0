"""The task that waits for a person: Airflow's own human-in-the-loop operator, when a load is to be approved.

Airflow decides who may answer, keeps the question and the answer, and shows them under Required Actions. A task that
waits takes up no worker. A task that is cleared or tried again asks again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from customer_import.pipeline.database_outage import outlasting_database
from customer_import.pipeline.task_run import open_task, results_url
from customer_import.vocabulary import Answer, TaskId

if TYPE_CHECKING:
    from airflow.sdk import Context

    from customer_import.runs.approvals import Approval, Planned
    from customer_import.runs.run import Run

APPROVE, REJECT = "Approve", "Reject"
_COMMENT = "comment"


class ApproveLoad(HITLOperator):
    """Wait until a person approves what the load is going to write, when the run has to ask; else go on at once.

    Args:
        run_key: The run.
        kwargs: Of every operator.
    """

    template_fields = ("run_key",)

    def __init__(self, *, run_key: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own types
        comment = Param(
            "",
            type=["null", "string"],
            maxLength=500,
            title="Comment",
            description="Why; shown with the results. No personal data.",
            source="task",
        )
        super().__init__(
            task_id=TaskId.APPROVE_LOAD.value,
            subject="May the load write to the BSS?",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            params={_COMMENT: comment},
            response_timeout=timedelta(days=1),  # the instance's, once it is known
            **kwargs,
        )
        self.run_key = run_key

    @outlasting_database
    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, when the run has to."""
        with open_task(self.run_key, TaskId.APPROVE_LOAD) as (engine, run):
            from customer_import.tasks.load.approval import ask_approval  # noqa: PLC0415

            approval = ask_approval(run, engine)
        if approval.why is not None:
            self._ask(run, approval)
            super().execute(context)
        return {"asked": approval.why is not None}

    @outlasting_database
    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Store the answer; the load goes by it."""
        response = super().execute_complete(context, event)
        is_approved = response["chosen_options"] == [APPROVE]
        answer = Answer.APPROVED if is_approved else Answer.REJECTED
        with open_task(self.run_key, TaskId.APPROVE_LOAD) as (engine, run):
            from customer_import.tasks.load.approval import answer_approval  # noqa: PLC0415

            answer_approval(
                run,
                engine,
                Answer.TIMED_OUT if event.get("timedout") else answer,
                (response["responded_by_user"] or {}).get("name"),
                response["responded_at"],
                str(response["params_input"].get(_COMMENT) or ""),
            )
        return {"asked": True, "approved": is_approved}

    def _ask(self, run: Run, approval: Approval) -> None:
        planned = approval.planned
        numbers = f"create {planned.create:,} and update {planned.update:,} customers"
        self.subject = f"{run.instance.title}: {numbers} in the BSS?"
        self.body = _body(run, approval)
        self.response_timeout = timedelta(hours=approval.timeout_hours)
        self.assigned_users = [{"id": user, "name": user} for user in run.instance.approvers]


def _body(run: Run, approval: Approval) -> str:
    """Return in Markdown what a person has to know; counts and field names only."""
    planned = approval.planned
    lines = [
        f"Run {run.key} of the {run.import_type.value} import, instance {run.params.instance}.",
        f"It asks because {approval.why}",
        "",
        *_table(planned),
        "",
        *(f"{title}: {_counted(counts)}." for title, counts in _fields(planned) if counts),
        "",
        _closing(run, approval),
    ]
    return "\n".join(lines)


def _closing(run: Run, approval: Approval) -> str:
    url = results_url(run.dag_id, run.airflow_run_id)
    return (
        f"[The run]({url}). A preview shows each customer. Without an answer within {approval.timeout_hours:g} hours "
        "nothing is written."
    )


def _table(planned: Planned) -> list[str]:
    rows = {
        "create": planned.create,
        "update": planned.update,
        "of them, replace or empty a value": planned.overwrite,
        "leave alone": planned.unchanged,
        "not written, as their results will say": planned.others,
    }
    if planned.unknown:
        rows["not known: the BSS refused to show them"] = planned.unknown
    return [
        "| what the load does | customers |",
        "|---|---|",
        *(f"| {what} | {n:,} |" for what, n in rows.items()),
    ]


def _fields(planned: Planned) -> list[tuple[str, dict[str, int]]]:
    return [("Fields that get a value", planned.changed), ("Fields emptied", planned.emptied)]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
