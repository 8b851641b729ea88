"""The one room with SQL in it: what is kept, and how it is asked for. SQLite for a laptop, PostgreSQL for production, the same code.

    database        connections, transactions, the schema's version
    tables          the tables, as classes
    projects        projects and their batches
    responses       what was read: responses, documents, opinions, their vectors
    findings        what was learned: theme sets, codings, the current analysis
    opinions        opinions as they are asked for, and their vectors
    customers       customers' sealed keys, and whom to call back
    workers         who is there to work
    webhooks        addresses that are told what happens
    outbox          what they are told, and what became of it
    queues          how much waits
    backup          the whole of it in one file, and back
    access          keys, and who did what

Every function takes a session and leaves the transaction to its caller: one request or one step is one transaction. No function knows about
HTTP, jobs or models.
"""

from feedback_miner.store.database import Database

__all__ = ["Database"]
