"""Long work: a batch from its spool file to the project's analysis, in steps that can be cut off anywhere and taken up again.

    workshop    what every step works with: database, spool, models
    claim       the right to write for a job; lost to whoever begins its next step
    steps       the steps: plain functions of a claim, each one a transaction or a few that can be repeated
    lease       who is alive, and who takes over from whom is not
    engine      DBOS: which step comes next, what is resumed after a crash
    dispatcher  webhooks' deliveries
    living      the theme set that codes: the fitted one, with analysts' edits replayed on it
    forget      deletion: of a customer, and of what has grown too old
    retention   once a day: what is too old, what was left behind
    queue_metrics   what waits, for Prometheus

A step takes and returns ids and counts, never text: what the engine remembers outlives a deletion.
"""
