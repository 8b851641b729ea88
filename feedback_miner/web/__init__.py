"""The service: HTTP in, the store and the jobs asked, JSON out. The API is ``/v1``; ``/openapi.json`` describes it.

app         the application: its parts put together, its start and its stop
service     what every request works with
desk        where texts are classified: the model, who waits for it, the living theme sets
edge        what every request passes through: measured, bounded, hardened
access      who asks, what they may, how often
problems    errors as problem documents (RFC 9457)
idempotency the same request twice is one request
wire        the shapes of what goes in and out
projects, batches, themes, edits, classify, webhooks, keys, operations      the paths
"""

from feedback_miner.web.app import create_app

__all__ = ["create_app"]
