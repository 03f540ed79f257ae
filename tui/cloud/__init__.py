"""Object stores as destinations: addresses, credentials, and uploads.

A file is downloaded to a local staging directory as always, and uploaded once it is
complete and verified. obstore (extra ``fetchtui[cloud]``) speaks to the stores and is
imported only when one is used. Deciding what is uploaded does not belong here.
"""
