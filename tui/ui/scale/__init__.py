"""The screen of ``fetchtui scale``: workers, shards, hosts and failures of a large job.

It draws ``scale.model.JobSnapshot`` and calls ``JobControl``. Starting workers and
deciding what they do does not belong here.
"""
