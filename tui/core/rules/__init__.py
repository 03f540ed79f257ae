"""Rules of the settings: which folder, which host rule, which headers are secret.

Pure functions of settings and names; nothing here reads a settings file.
"""
