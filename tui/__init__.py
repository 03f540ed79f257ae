"""fetchtui: a download dashboard for the terminal.

One process and one asyncio loop run both the Textual dashboard and the downloads. No
blocking disk call runs on that loop.

This is a short map; ``tui/README.md`` has all packages, the contracts between them, a
glossary, and a table of where to change what. Imports go downwards only::

    cli          command line, composition root: settings, engine, front end
    ui           the Textual dashboard
    headless     progress lines, JSON events, exit statuses
    background   the background process: its socket, the protocol, both of its ends
    rpc          remote control: JSON-RPC as aria2 speaks it, over HTTP and WebSocket
    postprocess  steps after a download: hooks, unpacking, notification, log file
    scale        lists larger than one machine: plan, leases, workers, manifests
    lab          races ways of running concurrent downloads
    demo         scripted server on loopback, and its list
    config       the settings file: read, validate, explain, write
    engine       decides which download runs when, and runs it
    cloud        object stores as destinations: addresses, credentials, uploads
    sources      lists -> requests
    net          HTTP: sessions, routing, credentials, transports
    disk         files: writing in threads, part files, resume records, state
    docs         the user guide, for ``fetchtui help`` and the dashboard
    core         nouns and rules; no I/O, no asyncio

``messages``, above ``lab``, turns the codes of ``core`` and ``engine`` into sentences.

The journey of a download, in reading order::

    sources.*                        list lines -> core.request.DownloadRequest
    engine.engine                    Engine.add
    engine.scheduling.queue          order, limits per run and per origin
    engine.download.attempt          probe, plan, transfer, verify, finish
    engine.download.transfer         its segments and their connections
    net.session                      one request over the right transport
    disk.writer                      one executor call for many writes
    disk.direct_copy                 a thread copies a fast socket into a file
    disk.part_file                   part file -> final name

Numbers are pulled: front ends ask ``service.snapshot()`` several times a second. Facts
are pushed: one small frozen event each, never dropped within the process. Nothing is
sent per chunk. Front ends know only ``core.service.DownloadService``; ``cli`` gives
them an engine.
"""

__version__ = "0.1.0"
