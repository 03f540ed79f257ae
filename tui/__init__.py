"""fetchtui: a download dashboard for the terminal.

One process and one asyncio loop run both the Textual dashboard and the download
workers; every blocking disk call leaves the loop through ``run_in_executor``.

A download's journey (the code reads in this order)::

    sources.*                        list lines -> core.request.DownloadRequest
    engine.engine                    Engine.add
    engine.scheduling.queue          order, limits per run and per origin
    engine.download.attempt          probe, plan, transfer, verify, finish
    engine.download.segment_reader   one range: stream, limiter, writer, counters
    net.session                      one HTTP exchange over the right transport
    disk.writer                      one run_in_executor call for many writes
    disk.direct_copy                 a thread copies a fast socket into a file
    disk.folders                     part file -> final name

Back to the eyes: numbers are pulled (``service.snapshot()`` at frame rate), facts
are pushed (one small frozen event each, never dropped). Nothing per chunk reaches a
face.

The map (imports go downwards only; import-linter holds it)::

    cli        the command line, and the composition root: settings, engine, front end
    ui         the Textual dashboard
    headless   progress lines, JSON events, exit statuses
    postprocess  what follows a download: hooks, unpacking, notices, the log file
    lab        ways of running concurrent downloads, raced against each other
    demo       scripted server on loopback and its list
    config     the settings file: read, judged, explained, written
    engine     who fetches what, when
    sources    what to fetch: lists -> requests
    net        bytes off the wire; the only importer of httpx and pyreqwest
    disk       bytes onto disk, off the loop
    core       nouns and rules; standard library only, no I/O, no asyncio
    docs       the user guide, which ``fetchtui help`` and the dashboard show

The faces know only ``core.service.DownloadService``; ``cli`` hands them an engine.
"""

__version__ = "0.1.0"
