"""``python -m retrieve "..." --explain``: how a question was read, and what each stage did with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from retrieve.retriever import Retrieval
    from retrieve.self_query.plan import QueryPlan
    from retrieve.trace import Trace

STYLES = ("bold cyan", "bold magenta", "bold yellow", "bold green", "bold blue", "bold red")


def show_explanation(console: Console, found: Retrieval, trace: Trace) -> None:
    """Print the plan with its spans in colour, then the stages with their candidates and times."""
    plan = found.plan
    console.print(_coloured(plan))
    for number, finding in enumerate(plan.findings):
        line = Text(f"  {finding.reason}", style=STYLES[number % len(STYLES)])
        line.append(f"  (confidence {finding.confidence:.2f})", style="dim")
        console.print(line)
    if plan.topic:
        console.print("  read together with the question before", style="dim")
    if plan.original:
        console.print(f"  asked as: {plan.original}", style="dim", markup=False)
    if not plan.findings and not plan.relaxed:
        console.print("  no condition was read out of it", style="dim")
    for item in plan.relaxed:
        console.print(f"  {item.action}: {item.finding.reason}; {item.reason}", style="dim", markup=False)
    if plan.sort:
        order = "highest" if plan.sort.descending else "lowest"
        console.print(f"  wanted first: {order} {plan.sort.field} (not applied)", style="dim", markup=False)
    console.print(f"  searched for: {plan.semantic_query}", markup=False)
    if plan.listing:
        console.print("  nothing else is asked: whatever passes the conditions is an answer", style="dim")
    for stage in trace.stages:
        noun = "passage" if stage.found == 1 else "passages"
        found_text = "" if stage.found is None else f", {stage.found} {noun}"
        console.print()
        console.print(Text(f"{stage.name}: {1000 * stage.seconds:.1f} ms{found_text}", style="bold"))
        if stage.note:
            console.print(f"  {stage.note}", style="dim", markup=False)
        if stage.passages:
            table = Table("score", "cosine", "words", "passage", box=None, pad_edge=False)
            for passage in stage.passages:
                place = " > ".join((passage.document, *passage.section))
                table.add_row(
                    f"{passage.score:.4f}", f"{passage.relevance:.2f}", f"{passage.coverage:.2f}", Text(place)
                )
            console.print(table)
    console.print()


def _coloured(plan: QueryPlan) -> Text:
    """The question, each condition's words in its colour."""
    text = Text(plan.question)
    for number, finding in enumerate(plan.findings):
        for start, end in finding.spans:
            text.stylize(f"{STYLES[number % len(STYLES)]} underline", start, end)
    return text
