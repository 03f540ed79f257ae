"""The web server of the RPC: uvicorn, Starlette, WebSockets and the checks before them.

Nothing else imports these libraries, which are an extra. ``dashboard`` shows the
dashboard in a browser. What a call means does not belong here.
"""
