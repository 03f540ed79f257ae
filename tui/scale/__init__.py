"""Lists larger than one machine: plan, leases, workers and manifests.

``plan`` streams a list to disk, ``lanes`` cuts it into shards, ``leases`` decides which
worker gets which shard, ``coordinator`` runs them through a pool of workers (``pool``
in this process, ``dask_pool`` on a cluster), ``worker`` downloads a shard with the
ordinary engine, ``output`` packs its files, and ``manifest`` proves that it is done.
``model`` is all that a front end sees. Downloading (``engine``), reading list formats
(``sources``) and drawing do not belong here.
"""
