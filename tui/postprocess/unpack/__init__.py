"""Extract archives in separate processes, without ever writing outside a folder.

``worker_process`` is what runs in those processes; it imports as little as possible.
Deciding which downloads are unpacked belongs in ``tui.postprocess.pipeline``.
"""
